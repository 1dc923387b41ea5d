"""Days compared with the bank, and the queue of differences with the evidence of both sides."""

from __future__ import annotations

import datetime
import json
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from loans.access import AboutLoans
from loans.adapters import rail
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BankState, UnableToReuseReferenceError
from loans.admin.records import LoanRecord
from loans.engine.bank_bill import ACCOUNT_COLUMNS, TRADE_COLUMNS
from loans.models import BankBill, BankDifference
from loans.models.reconciliation import (
    DIFFERENCE_PERMISSION,
    SETTLING_STEPS,
    DifferenceKind,
    DifferenceStepKind,
)
from loans.models.transfer import (
    TRANSFER_STATE_LABELS,
    NoticeVerdict,
    TransferChannel,
    TransferPurpose,
)
from loans.selectors.bank_days import bank_days, difference_queue
from loans.services.bank_differences import (
    claim_difference,
    explain_difference,
    holder_of,
    note_asked,
    note_booked,
    release_difference,
)
from loans.services.transfers import settle_transfer
from zhixin.shared import clock
from zhixin.shared.actor import Actor
from zhixin.shared.admin import ReadOnlyModelAdmin, money_column
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required
from zhixin.shared.signing import BANK_TIME_ZONE

READ_PERMISSION = "loans.view_bankdifference"
_BOOKING_VERDICTS = (NoticeVerdict.APPLIED, NoticeVerdict.LATE, NoticeVerdict.DUPLICATE)


class NothingToAskError(DomainError):
    """The difference cannot be answered by a question to the bank; the message says why."""


@admin.register(BankBill)
class BankBillAdmin(ReadOnlyModelAdmin):
    """Comparisons as they were made; the days and their queue hang beside the list."""

    list_display = ("bill_date", "run", "line_count", "matched_count", "recorded_at")
    list_filter = ("bill_date",)
    ordering = ("-bill_date", "-run")
    exclude = ("trade_file", "account_file")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of days and differences."""
        wrap = self.admin_site.admin_view
        return [
            path("days/", wrap(days), name="loans_bank_days"),
            path("differences/", wrap(queue), name="loans_bank_differences"),
            path("differences/<int:pk>/", wrap(difference), name="loans_bank_difference"),
            *super().get_urls(),
        ]


@admin.register(BankDifference)
class BankDifferenceAdmin(LoanRecord):
    """Every difference there ever was, settled or not."""

    reach = AboutLoans("transfer__loan")
    subject_path = "transfer__loan__borrower"
    list_display = ("on_date", "kind", "shown_bank_amount", "shown_our_amount", "reference")
    list_filter = ("kind", "on_date")
    search_fields = ("reference", "bank_reference")
    ordering = ("-pk",)
    exclude = ("fingerprint", "bank_amount", "our_amount")
    readonly_fields = ("shown_bank_amount", "shown_our_amount")
    shown_bank_amount = money_column("bank_amount", gettext_lazy("amount by the bank"))
    shown_our_amount = money_column("our_amount", gettext_lazy("amount with us"))


@staff_required(READ_PERMISSION)
@require_safe
def days(request: HttpRequest) -> HttpResponse:
    """List the newest days with the sums of both sides, and those that wait for their bill."""
    yesterday = clock.now().astimezone(BANK_TIME_ZONE).date() - datetime.timedelta(days=1)
    newest = BankBill.objects.order_by("-bill_date").values_list("bill_date", flat=True).first()
    context = {
        **admin.site.each_context(request),
        "title": _("Days compared with the bank"),
        "days": bank_days(through=max(yesterday, newest or yesterday)),
    }
    return render(request, "admin/loans/bank_days.html", context)


@staff_required(READ_PERMISSION)
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """List what waits, oldest first."""
    context = {
        **admin.site.each_context(request),
        "title": _("Differences with the bank"),
        "rows": difference_queue(),
        "person": signed_in(request),
    }
    return render(request, "admin/loans/bank_differences.html", context)


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one difference, both sides beside each other; take it on and settle it."""
    found = (
        BankDifference.objects.filter(pk=pk)
        .select_related("transfer__loan__agreement", "bill")
        .defer("bill__trade_file", "bill__account_file")
        .first()
    )
    if found is None:
        raise Http404
    if request.method == "POST":
        return act(request, pk=pk)
    user = signed_in(request)
    steps = list(found.steps.select_related("actor_user__profile").order_by("pk"))
    is_settled = any(step.kind in SETTLING_STEPS for step in steps)
    holder = None if is_settled else holder_of(found)
    context = {
        **admin.site.each_context(request),
        "title": found.get_kind_display(),
        "difference": found,
        "sides": _sides(found),
        "steps": [step for step in steps if step.kind != DifferenceStepKind.REPEATED],
        "repeats": [step for step in steps if step.kind == DifferenceStepKind.REPEATED],
        "holder": holder,
        "is_mine": holder is not None and holder.actor_user_id == user.pk,
        "may_settle": user.has_perm(DIFFERENCE_PERMISSION) and not is_settled,
        "may_book": found.kind != DifferenceKind.TAKEN_BACK,
    }
    return render(request, "admin/loans/bank_difference.html", context)


@staff_required(DIFFERENCE_PERMISSION)
@require_http_methods(["POST"])
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Do what was chosen about a difference, and say what it came to."""
    actor, at = signed_in(request).as_actor(), clock.now()
    settled = False
    try:
        match request.POST.get("do"):
            case "claim":
                claim_difference(difference_id=pk, actor=actor, at=at)
            case "release":
                release_difference(difference_id=pk, actor=actor, at=at)
            case "explain":
                reason = request.POST.get("reason", "")
                explain_difference(difference_id=pk, reason=reason, actor=actor, at=at)
                settled = True
            case "ask":
                messages.info(request, _ask(pk, actor, at))
            case "book":
                _book(pk, actor, at)
                messages.success(request, _("Booked by the bank's own word."))
                settled = True
            case _:
                raise Http404
    except DomainError as error:
        messages.error(request, str(error))
    target = "admin:loans_bank_differences" if settled else "admin:loans_bank_difference"
    return redirect(target) if settled else redirect(target, pk=pk)


def _ask(pk: int, actor: Actor, at: datetime.datetime) -> str:
    """Ask the bank again; keep what it says, and settle a transfer whose outcome was open."""
    found, answer = _answer_about(pk)
    note_asked(difference_id=pk, body=rail.body_of(answer), actor=actor, at=at)
    if found.transfer is not None and found.transfer.settled_at is None:
        rail.take_answer(found.transfer.pk, str(found.transfer.public_id), answer, at=at)
    return _("The bank says: %(state)s %(amount)s %(reason)s") % {
        "state": answer.state.value,
        "amount": answer.amount or "",
        "reason": answer.reason,
    }


def _book(pk: int, actor: Actor, at: datetime.datetime) -> None:
    """Book the money of a difference by the bank's answer of now, never by what the page shows."""
    found, answer = _answer_about(pk)
    if found.kind == DifferenceKind.TAKEN_BACK:
        raise NothingToAskError(
            _("A reversal took it out of the books. Book it on the loan again at its desk.")
        )
    if answer.state != BankState.SUCCEEDED or found.transfer is None:
        raise NothingToAskError(_("The bank does not say that it was done."))
    claim_difference(difference_id=pk, actor=actor, at=at)
    verdict = settle_transfer(
        reference=str(found.transfer.public_id),
        word=rail.word_of(answer),
        at=at,
        by_decision=True,
    )
    if verdict not in _BOOKING_VERDICTS:
        raise NothingToAskError(_("The bank states another amount; nothing was booked."))
    note_booked(difference_id=pk, body=rail.body_of(answer), actor=actor, at=at)


def _answer_about(pk: int) -> tuple[BankDifference, Any]:
    found = BankDifference.objects.select_related("transfer__refund_of").filter(pk=pk).first()
    if found is None:
        raise Http404
    if found.transfer is None:
        raise NothingToAskError(_("We have no order that the bank could be asked about."))
    try:
        return found, rail.ask(BankClient.from_settings(), found.transfer)
    except UnableToReuseReferenceError as error:
        raise NothingToAskError(str(error)) from error


Rows = list[tuple[str, str]]


# What of a notice or an answer people look for, in this order; before the columns of a bill.
_FIRST_NAMES = (
    *("out_trade_no", "out_biz_no", "out_request_no"),
    *("total_amount", "trans_amount", "refund_amount", "amount"),
    *("trade_status", "status", "refund_status", "state"),
    *("error_code", "fail_reason", "sub_code", "sub_msg"),
    *("gmt_payment", "pay_date", "gmt_close", "trade_no", "order_id"),
)


def _sides(found: BankDifference) -> list[tuple[str, Rows, Rows]]:
    """Return the evidence of both sides as rows of name and value, and what is folded away."""
    return [
        (_("The bank"), *_bank_rows(found.bank_side)),
        (_("Our books"), _our_rows(found.our_side), []),
    ]


def _bank_rows(side: dict[str, Any]) -> tuple[Rows, Rows]:
    """Return the bank's own words: order, amount, status, columns of a bill; then all the rest.

    What is empty or 0.00 is left out. What a notice wraps (`biz_content`) is taken out of it.
    """
    words = {**side, **_wrapped(side)}
    order = [*_FIRST_NAMES, *TRADE_COLUMNS, *ACCOUNT_COLUMNS]
    places = {name: place for place, name in reversed(list(enumerate(order)))}
    names = sorted(words, key=lambda name: (places.get(name, len(order)), name))
    rows = [(name, str(words[name]).strip()) for name in names]
    rows = [(name, value) for name, value in rows if value not in {"", "0.00"}]
    first = [row for row in rows if row[0] in places]
    return first, [row for row in rows if row[0] not in places]


def _wrapped(side: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that a notice of a payout carries as JSON."""
    try:
        facts = json.loads(side.get("biz_content") or "{}")
    except (TypeError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _our_rows(side: dict[str, str]) -> Rows:
    """Return what our books say, in words."""
    words: dict[str, tuple[str, dict[str, Any]]] = {
        "amount": (_("amount"), {}),
        "state": (
            _("state"),
            {str(state): label for state, label in TRANSFER_STATE_LABELS.items()},
        ),
        "purpose": (_("purpose"), dict(TransferPurpose.choices)),
        "channel": (_("way"), dict(TransferChannel.choices)),
        "reference": (_("our reference"), {}),
        "bank_reference": (_("bank's reference"), {}),
        "bank_date": (_("day of the bank's bill"), {}),
    }
    return [
        (label, str(values.get(side[name], side[name])))
        for name, (label, values) in words.items()
        if side.get(name)
    ]
