"""Show what a bank's statement would book, and book it when told to."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override
from tqdm import tqdm

from accounts.forms import read_phone
from accounts.models import User
from loans.engine.bank_file import (
    FILE_BYTES_MOST,
    Direction,
    Statement,
    UnreadableBankFileError,
    read_statement,
)
from loans.models import BankFile
from loans.models.bank_file import (
    FILE_PROBLEM_LABELS,
    IMPORT_PERMISSION,
    REASON_LABELS_OF_ROWS,
    RowVerdict,
)
from loans.selectors.bank_files import results_of
from loans.selectors.business_day import business_date
from loans.services.bank_files import (
    Judgement,
    UnreadableLinesError,
    import_bank_file,
    judge_statement,
    known_file,
    store_bank_file,
)
from zhixin.shared import clock
from zhixin.shared.money import Money, total

_WHO = (
    "the phone number (138 0013 8000, +8613800138000) or e-mail address by which the member of "
    "staff who answers for it signs in"
)
_NEEDED = (
    "交易日期 (date), 流水号 (reference) and 收入金额 (credit), or 交易金额 (amount) with 借贷标志 "
    "(direction) in its place"
)
_SHOWN_NAMES, _SHOWN_SIGNS = 12, 30
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t")


class Command(BaseCommand):
    """`manage.py import_bank_file FILE`; writes nothing without --commit."""

    help = (
        "Reads a bank's account statement (CSV, see docs/bank_files.md) and prints a verdict for "
        "each line. Writes nothing unless --commit is given. Safe to stop and to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and whether to book."""
        parser.add_argument("file", type=Path, metavar="FILE")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--dry-run", action="store_true", help="only print the verdicts (the default)"
        )
        mode.add_argument("--commit", action="store_true", help="book what is to be booked")
        parser.add_argument(
            "--by",
            metavar="PHONE|E-MAIL",
            help=f"{_WHO}; --commit needs it",
        )
        parser.add_argument(
            "--accept-unreadable",
            action="store_true",
            help="import the others; lines that cannot be read stay listed with the file",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Judge every line and print it; with --commit store the file and import it."""
        person = _person(options["by"]) if options["commit"] else None
        with override("en"):
            content = _content(options["file"])
            statement = _statement(content, options["file"])
            judgements = self._judge(statement)
            as_json = options["format"] == "json"
            if person is None:
                self._print(statement, judgements, known_file(content), as_json=as_json)
                return
            file, _new = store_bank_file(
                content=content,
                name=options["file"].name,
                statement=statement,
                judgements=judgements,
                actor=person.as_actor(),
                at=clock.now(),
            )
            if not as_json:
                self._print(statement, judgements, None if _new else file, as_json=False)
            self._import(file, person, accept=options["accept_unreadable"], as_json=as_json)

    def _judge(self, statement: Statement) -> list[Judgement]:
        with tqdm(total=len(statement.lines), unit="line", leave=False, disable=None) as bar:

            def report(done: int, _every: int) -> None:
                bar.update(done - bar.n)

            return judge_statement(statement, business_date=business_date(), report=report)

    def _import(self, file: BankFile, person: User, *, accept: bool, as_json: bool) -> None:
        with tqdm(unit="line", leave=False, disable=None) as bar:

            def report(done: int, every: int) -> None:
                bar.total = every
                bar.update(done - bar.n)

            try:
                count = import_bank_file(
                    file_id=file.pk,
                    actor=person.as_actor(),
                    business_date=business_date(),
                    clock=clock.now,
                    accept_unreadable=accept,
                    report=report,
                )
            except UnreadableLinesError as error:
                raise CommandError(f"{error} (--accept-unreadable)") from error
        results = results_of(file)
        if as_json:
            sums = {each.kind: {"lines": each.count, "sum": str(each.amount)} for each in results}
            self.stdout.write(json.dumps({"file": file.pk, "imported": count, "done": sums}))
            return
        self.stdout.write(f"{count} lines imported now. The file in all:")
        for each in results:
            self.stdout.write(f"{each.count:>8}  {each.amount.amount:>16,.2f}  {each.kind}")

    def _print(
        self,
        statement: Statement,
        judgements: list[Judgement],
        known: BankFile | None,
        *,
        as_json: bool,
    ) -> None:
        if as_json:
            answer = {
                "encoding": statement.encoding,
                "known_file": known.pk if known else None,
                "rows": [_as_json(each) for each in judgements],
                "totals": _totals(judgements),
                "file": {"in": str(statement.amount_in), "out": str(statement.amount_out)},
            }
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        if known is not None:
            self.stdout.write(f"This file was stored before, as number {known.pk}.")
        for each in judgements:
            self.stdout.write(_as_text(each))
        self.stdout.write("")
        for verdict, sums in _totals(judgements).items():
            self.stdout.write(
                f"{verdict:<16}{sums['lines']:>8}  in {sums['in']:>16}  out {sums['out']:>16}"
            )
        self.stdout.write(
            f"{'the file':<16}{len(judgements):>8}  in {statement.amount_in!s:>16}"
            f"  out {statement.amount_out!s:>16}"
        )


def _person(login: str | None) -> User:
    if not login:
        raise CommandError(f"--commit needs --by PHONE|E-MAIL: {_WHO}.")
    person = User.objects.filter(**_lookup(login), is_staff=True, is_active=True).first()
    if person is None or not person.has_perm(IMPORT_PERMISSION):
        raise CommandError(f"{login} is no member of staff who may import bank files: name {_WHO}.")
    return person


def _lookup(login: str) -> dict[str, str]:
    text = login.strip()
    if "@" in text:
        return {"email__iexact": text}
    try:
        return {"phone": read_phone(text)}
    except ValidationError:
        # No mobile number of here: nobody's, unless it is stored just so.
        return {"phone": text}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MOST + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error


def _statement(content: bytes, path: Path) -> Statement:
    try:
        return read_statement(content)
    except UnreadableBankFileError as error:
        words = str(FILE_PROBLEM_LABELS[error.problem]) % {"detail": error.detail}
        raise CommandError(f"{path}: {words}{_about_columns(error.found)}") from error


def _about_columns(found: tuple[str, ...]) -> str:
    """Return which columns a file has and which it needs; empty when its columns are right."""
    if not found:
        return ""
    names = [_plain(name)[:_SHOWN_SIGNS] for name in found[:_SHOWN_NAMES]]
    more = ", …" if len(found) > _SHOWN_NAMES else ""
    return (
        f" Found: {', '.join(names)}{more}. Expected: {_NEEDED}. Export the statement with these "
        "columns or rename them; docs/bank_files.md lists every name that is understood."
    )


def _totals(judgements: list[Judgement]) -> dict[str, dict[str, str]]:
    """Return count and sums of each verdict; they re-add to the file's."""
    counts = Counter(each.verdict for each in judgements)
    return {
        verdict.value: {
            "lines": str(counts[verdict]),
            "in": str(_sum(judgements, verdict, Direction.IN)),
            "out": str(_sum(judgements, verdict, Direction.OUT)),
        }
        for verdict in RowVerdict
    }


def _sum(judgements: list[Judgement], verdict: RowVerdict, direction: Direction) -> Money:
    return total(
        each.line.amount
        for each in judgements
        if each.verdict == verdict and each.line.amount and each.line.direction is direction
    )


def _as_json(each: Judgement) -> dict[str, Any]:
    line = each.line
    return {
        "line": line.number,
        "verdict": each.verdict.value,
        "reason": each.reason.value,
        "detail": each.detail,
        "date": line.booking_date.isoformat() if line.booking_date else None,
        "direction": line.direction.value,
        "amount": str(line.amount) if line.amount else None,
        "serial": line.serial,
        "payer": line.payer_name,
        "payer_account": _masked(line.payer_account),
        "loan": each.loan.number if each.loan else None,
        "pays": each.what_if or None,
    }


def _as_text(each: Judgement) -> str:
    line = each.line
    amount = f"{line.amount.amount:,.2f}" if line.amount else "?"
    sign = "-" if line.direction is Direction.OUT else ""
    day = str(line.booking_date or "?")
    why = str(REASON_LABELS_OF_ROWS[each.reason])
    parts = [why, each.detail if each.detail != (each.loan.number if each.loan else "") else ""]
    if each.loan:
        parts.insert(0, f"{each.loan.number} {each.what_if['kind']}")
        parts.append(_pays(each.what_if))
    words = "; ".join(_plain(part) for part in parts if part)
    return (
        f"{line.number:>6}  {each.verdict.value:<14}  {day:<10}  "
        f"{sign + amount:>14}  {_plain(line.serial)}  {_plain(line.payer_name)}  {words}"
    ).rstrip()


def _pays(what_if: dict[str, str]) -> str:
    names = ("principal", "interest", "fees", "penalty", "credit")
    parts = [f"{name} {what_if[name]}" for name in names if what_if[name] != "0.00"]
    return f"pays {', '.join(parts)}" if parts else ""


def _plain(text: str) -> str:
    """Return text that neither a terminal nor a spreadsheet takes for a command."""
    text = "".join(char for char in text if char.isprintable())
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def _masked(account: str) -> str:
    return f"…{account[-4:]}" if account else ""
