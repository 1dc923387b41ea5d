"""Account statements of the bank as files: every line, what was made of it, and the queue."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from loans.engine.bank_file import Direction, FileProblem, RowReason, SuggestionReason
from loans.models.ledger import JournalEntry
from loans.models.loan import Loan, LoanEvent
from zhixin.shared.fields import EncryptedTextField, MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.templatetags.zhixin import plain_date

IMPORT_PERMISSION = "loans.import_bank_file"

FILE_PROBLEM_LABELS = {
    FileProblem.EMPTY: _("The file is empty."),
    FileProblem.TOO_LARGE: _("The file is too large; the most is %(detail)s."),
    FileProblem.NOT_TEXT: _("This is no CSV file. Export the statement as CSV, not as Excel."),
    FileProblem.ENCODING: _("The file is neither UTF-8 nor GBK text."),
    FileProblem.NO_HEADER: _("No row with the names of the columns was found."),
    FileProblem.MISSING_COLUMN: _("These columns are missing: %(detail)s."),
    FileProblem.TOO_MANY_ROWS: _("The file has more than %(detail)s rows."),
    FileProblem.HUGE_CELL: _("Line %(detail)s has a cell, or cells, beyond all measure."),
    FileProblem.QUOTES: _("The quotes in line %(detail)s do not close."),
    FileProblem.NO_ROWS: _("The file has no rows below the names of its columns."),
}
REASON_LABELS_OF_ROWS = {
    RowReason.BY_NUMBER: _("Contract number in the remark"),
    RowReason.BY_ACCOUNT: _("Account of the borrower, who has one loan"),
    RowReason.NO_MATCH: _("No loan was found"),
    RowReason.SUGGESTED: _("Name and amount fit one loan; a person decides"),
    RowReason.UNKNOWN_NUMBER: _("There is no contract with this number"),
    RowReason.SEVERAL_NUMBERS: _("Several contract numbers"),
    RowReason.SEVERAL_LOANS: _("The payer has several loans"),
    RowReason.LOAN_NOT_PAID_OUT: _("This loan is not paid out yet"),
    RowReason.LOAN_CLOSED: _("This loan is paid off, and somebody else paid"),
    RowReason.MORE_THAN_OWED: _("By the account only, and more than is owed"),
    RowReason.FUTURE_DATE: _("That day has not begun in our books"),
    RowReason.REFERENCE_CONFLICT: _("The serial number is known with another amount or day"),
    RowReason.REVERSED_BEFORE: _("It was booked before and reversed"),
    RowReason.REFUSED: _("It cannot be booked"),
    RowReason.CHANGED: _("The loan found is no longer the one that was shown"),
    RowReason.IMPORTED_BEFORE: _("Booked from an earlier file"),
    RowReason.WAITS_IN_QUEUE: _("Came with an earlier file, through the queue"),
    RowReason.TWICE_IN_FILE: _("The same line stands above"),
    RowReason.BOOKED_BY_HAND: _("Booked by hand"),
    RowReason.CAME_BY_RAIL: _("Known as a transfer of ours"),
    RowReason.OUTGOING: _("Money that went out"),
    RowReason.TOTALS: _("Totals of the bank"),
    RowReason.BAD_DATE: _("The date cannot be read"),
    RowReason.NO_SERIAL: _("The serial number is missing"),
    RowReason.LONG_SERIAL: _("The serial number is too long"),
    RowReason.BAD_AMOUNT: _("The amount cannot be read"),
    RowReason.NO_AMOUNT: _("There is no amount"),
    RowReason.NEGATIVE_AMOUNT: _("The amount is negative: the bank took something back"),
    RowReason.TWO_AMOUNTS: _("Money in and money out on one line"),
    RowReason.NO_DIRECTION: _("It does not say whether money came or went"),
    RowReason.TOO_MANY_CELLS: _("More cells than columns; a comma may stand without quotes"),
    RowReason.LINE_BREAK: _("A cell goes over several lines"),
    RowReason.TOTALS_DIFFER: _("The bank's totals are not the sum of the lines"),
}
SUGGESTION_LABELS = {
    SuggestionReason.NUMBER: _("contract number in the remark"),
    SuggestionReason.ACCOUNT: _("account of the borrower"),
    SuggestionReason.NAME_AND_AMOUNT: _("name, and exactly what is due"),
    SuggestionReason.NAME: _("name"),
}


class RowVerdict(models.TextChoices):
    """What an import would do, or did, with a line."""

    WILL_BOOK = "WILL_BOOK", _("To be booked")
    ALREADY_BOOKED = "ALREADY_BOOKED", _("Known already")
    UNMATCHED = "UNMATCHED", _("To the queue")
    SKIPPED = "SKIPPED", _("Shown only")
    INVALID = "INVALID", _("Not understood")


class BankFile(AppendOnly):
    """One file as it came, known by its digest: the same file again is the same row."""

    sha256 = models.CharField(_("digest"), max_length=64, unique=True)
    name = models.CharField(_("name of the file"), max_length=120)
    encoding = models.CharField(_("encoding"), max_length=12)
    row_count = models.PositiveIntegerField(_("lines"))
    amount_in = MoneyField(_("came in"))
    amount_out = MoneyField(_("went out"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Importing, and settling the queue, is a permission of its own."""

        verbose_name = _("bank file")
        verbose_name_plural = _("bank files")
        permissions = [
            ("import_bank_file", _("Can import bank files and settle money without a loan"))
        ]

    def __str__(self) -> str:
        """Return the name of the file."""
        return self.name


class BankFileRowQuerySet(models.QuerySet["BankFileRow"]):
    """Filters on lines of files."""

    def for_update(self) -> BankFileRowQuerySet:
        """Return the lines locked, in the order of their keys; before the loan."""
        return self.order_by("pk").select_for_update(of=("self",))

    def waiting(self) -> BankFileRowQuerySet:
        """Return the lines whose money is in suspense: without a readable day, then the oldest."""
        steps = BankFileStep.objects.filter(row=OuterRef("pk"))
        return self.filter(
            Exists(steps.filter(kind=RowStepKind.QUEUED)),
            ~Exists(steps.filter(kind__in=SETTLING_STEPS)),
        ).order_by(F("booking_date").asc(nulls_first=True), "pk")

    def to_do(self) -> BankFileRowQuerySet:
        """Return the lines that no import has dealt with, in the order of the file."""
        done = BankFileStep.objects.filter(row=OuterRef("pk"), kind__in=IMPORT_STEPS)
        return self.filter(~Exists(done)).order_by("line_number")


BankFileRowManager = models.Manager.from_queryset(BankFileRowQuerySet)


class BankFileRow(AppendOnly):
    """One line of a file with the verdict that was shown before anything was booked."""

    file = models.ForeignKey(
        BankFile, on_delete=models.PROTECT, related_name="rows", verbose_name=_("bank file")
    )
    line_number = models.PositiveIntegerField(_("line"))
    raw = EncryptedTextField(_("the line as it came"))
    booking_date = models.DateField(_("day"), null=True, blank=True)
    direction = models.CharField(
        _("direction"), max_length=4, choices=[(each.value, each.value) for each in Direction]
    )
    amount = MoneyField(_("amount"), null=True, blank=True)
    payer_name = models.CharField(_("payer"), max_length=120, blank=True)
    payer_account = EncryptedTextField(_("payer's account"), blank=True)
    payer_last_four = models.CharField(_("account's last four digits"), max_length=4, blank=True)
    serial = models.CharField(_("serial number"), max_length=64, blank=True)
    remark = models.CharField(_("remark"), max_length=300, blank=True)
    identity = models.CharField(_("digest of the payment"), max_length=64)
    verdict = models.CharField(_("verdict"), max_length=16, choices=RowVerdict)
    reason = models.CharField(_("why"), max_length=24, choices=REASON_LABELS_OF_ROWS)
    detail = models.CharField(_("in detail"), max_length=300, blank=True)
    problem = models.CharField(
        _("what cannot be read"), max_length=24, blank=True, choices=REASON_LABELS_OF_ROWS
    )
    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("loan"),
    )
    what_if = models.JSONField(_("what it would pay"), default=dict)

    objects: ClassVar[BankFileRowManager[BankFileRow]] = BankFileRowManager()

    class Meta(AppendOnly.Meta):
        """A line stands once in its file; what is to be booked has a loan and a day."""

        verbose_name = _("line of a bank file")
        verbose_name_plural = _("lines of bank files")
        indexes = [
            models.Index(fields=["identity"], name="bank_file_row_identity"),
            models.Index(fields=["serial"], name="bank_file_row_serial"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["file", "line_number"], name="bank_file_line_once"),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gt=0),
                name="bank_file_row_amount_positive",
            ),
            models.CheckConstraint(
                condition=~Q(verdict=RowVerdict.WILL_BOOK)
                | Q(loan__isnull=False, booking_date__isnull=False, amount__isnull=False),
                name="bank_file_row_bookable",
            ),
        ]

    def __str__(self) -> str:
        """Return file and line."""
        return f"{self.file_id}: {self.line_number}"


class RowStepKind(models.TextChoices):
    """What was done with a line."""

    BOOKED = "BOOKED", _("Booked to the loan")
    QUEUED = "QUEUED", _("Put in the queue")
    KNOWN = "KNOWN", _("Known already")
    SHOWN = "SHOWN", _("Shown only")
    LISTED = "LISTED", _("Not understood; stays listed")
    CLAIMED = "CLAIMED", _("Taken on")
    RELEASED = "RELEASED", _("Given back")
    MATCHED = "MATCHED", _("Booked from the queue")
    RETURNED = "RETURNED", _("Returned to the payer")


# What an import does with a line, once; what takes money out of the queue, once.
IMPORT_STEPS = (
    RowStepKind.BOOKED,
    RowStepKind.QUEUED,
    RowStepKind.KNOWN,
    RowStepKind.SHOWN,
    RowStepKind.LISTED,
)
SETTLING_STEPS = (RowStepKind.MATCHED, RowStepKind.RETURNED)
_TAKING = (RowStepKind.BOOKED, RowStepKind.QUEUED)
_ON_LOAN = (RowStepKind.BOOKED, RowStepKind.MATCHED)
_IN_SUSPENSE = (RowStepKind.QUEUED, RowStepKind.MATCHED, RowStepKind.RETURNED)


class BankFileStep(AppendOnly):
    """What was done with a line, by whom, when and why; a payment is taken in once for all files.

    `identity` is the line's when the step takes the money into the books, else empty. `verdict`
    and `why` are those of the moment; where they differ from the line's, `changed` says so.
    """

    row = models.ForeignKey(
        BankFileRow,
        on_delete=models.PROTECT,
        related_name="steps",
        verbose_name=_("line of a bank file"),
    )
    kind = models.CharField(_("what was done"), max_length=10, choices=RowStepKind)
    identity = models.CharField(_("digest of the payment"), max_length=64, blank=True)
    why = models.CharField(_("why"), max_length=24, blank=True, choices=REASON_LABELS_OF_ROWS)
    detail = models.CharField(_("in detail"), max_length=300, blank=True)
    changed = models.BooleanField(_("other than shown before"), default=False)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    reference = models.CharField(_("bank's reference"), max_length=64, blank=True)
    event = models.OneToOneField(
        LoanEvent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bank_file_step",
        verbose_name=_("event of a loan"),
    )
    entry = models.OneToOneField(
        JournalEntry,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bank_file_step",
        verbose_name=_("journal entry"),
    )
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta(AppendOnly.Meta):
        """A line is imported once and settled once; money is taken in once and has its entry."""

        verbose_name = _("step on a line of a bank file")
        verbose_name_plural = _("steps on lines of bank files")
        constraints = [
            models.UniqueConstraint(
                fields=["row"],
                condition=Q(kind__in=IMPORT_STEPS),
                name="bank_file_row_imported_once",
            ),
            models.UniqueConstraint(
                fields=["row"],
                condition=Q(kind__in=SETTLING_STEPS),
                name="bank_file_row_settled_once",
            ),
            models.UniqueConstraint(
                fields=["identity"], condition=~Q(identity=""), name="bank_file_money_taken_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=_TAKING) ^ Q(identity=""), name="bank_file_step_identity"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=_ON_LOAN) ^ Q(event__isnull=True),
                name="bank_file_step_event",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=_IN_SUSPENSE) ^ Q(entry__isnull=True),
                name="bank_file_step_entry",
            ),
            models.CheckConstraint(
                condition=~Q(kind=RowStepKind.RETURNED) | (~Q(reason="") & ~Q(reference="")),
                name="bank_file_return_has_reference",
            ),
        ]

    def __str__(self) -> str:
        """Return what was done and when."""
        return f"{self.get_kind_display()} {plain_date(self.recorded_at)}"
