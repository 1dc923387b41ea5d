"""The bank's call-backs."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from loans.adapters import rail
from loans.adapters.bank import (
    NOTICE_ACKNOWLEDGED,
    NOTICE_REFUSED,
    BankClient,
    BankState,
    InvalidNoticeError,
)
from loans.services.transfers import settle_transfer
from zhixin.shared import clock
from zhixin.shared.permissions import public

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
@public("The bank calls it; the signature of the notice says who speaks.")
def notice(request: HttpRequest) -> HttpResponse:
    """Take a signed notice; answer `success` once it is kept, whatever it came to."""
    try:
        data = BankClient.from_settings().parse_notice(request.body)
    except InvalidNoticeError as refusal:
        logger.warning("A notice of the bank was refused: %s", refusal)
        return HttpResponse(NOTICE_REFUSED, status=400, content_type="text/plain")
    if data.outcome != BankState.ACCEPTED:
        settle_transfer(
            reference=data.client_reference, word=rail.word_of_notice(data), at=clock.now()
        )
    return HttpResponse(NOTICE_ACKNOWLEDGED, content_type="text/plain")
