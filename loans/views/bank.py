"""The bank's call-backs."""

from __future__ import annotations

import logging

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from loans.adapters import rail
from loans.adapters.bank import BankClient
from loans.adapters.bank_notices import NOTICE_ACKNOWLEDGED, NOTICE_REFUSED
from loans.adapters.bank_words import BankState, InvalidNoticeError
from loans.services.transfers import settle_transfer
from zhixin.shared import clock
from zhixin.shared.permissions import public

logger = logging.getLogger(__name__)

# A notice has some two thousand characters. What is larger is not read at all.
NOTICE_MOST_BYTES = 65_536


@csrf_exempt
@require_POST
@public("The bank calls it; the signature of the notice says who speaks.")
def notice(request: HttpRequest) -> HttpResponse:
    """Take a signed notice; answer `success` once it is kept, whatever it came to."""
    try:
        data = BankClient.from_settings().parse_notice(_body_of(request))
    except InvalidNoticeError as refusal:
        logger.warning("A notice of the bank was refused: %s", refusal)
        return HttpResponse(NOTICE_REFUSED, status=400, content_type="text/plain")
    if data.outcome != BankState.ACCEPTED:
        settle_transfer(
            reference=data.client_reference, word=rail.word_of_notice(data), at=clock.now()
        )
    return HttpResponse(NOTICE_ACKNOWLEDGED, content_type="text/plain")


def _body_of(request: HttpRequest) -> bytes:
    """Return the body. Raises InvalidNoticeError when it is too large, or broke off."""
    try:
        stated = int(request.headers.get("Content-Length") or 0)
        body = b"" if stated > NOTICE_MOST_BYTES else request.body
    except (ValueError, RequestDataTooBig, UnreadablePostError) as error:
        raise InvalidNoticeError(f"Its body cannot be read: {type(error).__name__}.") from error
    if max(stated, len(body)) > NOTICE_MOST_BYTES:
        raise InvalidNoticeError(
            f"It has {max(stated, len(body))} bytes; the most is {NOTICE_MOST_BYTES}."
        )
    return body
