"""The sandbox bank's book and keys on the disk."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zhixin.sandbox.book import (
    Book,
    ConflictingOrderError,
    CorruptBookError,
    Direction,
    Instruction,
    OrderState,
    Refusal,
)
from zhixin.sandbox.faults import FaultBox, UnknownFaultError
from zhixin.sandbox.keys import ensure_keys
from zhixin.sandbox.wire import parse_cents
from zhixin.shared.signing import (
    load_private_key,
    load_public_key,
    public_pem_of,
)

NOON = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)
CARD = "6222021234567890128"
PROJECT = Path(__file__).resolve().parents[4]


def open_book(path: Path) -> Book:
    return Book(path, opening_cents=500_00, lender_cents=1_000_00)


def instruction(direction: Direction, reference: str, cents: int) -> Instruction:
    return Instruction(direction, reference, CARD, "王小明", cents, "title")


def filled(path: Path) -> Book:
    book = open_book(path)
    for direction, reference, cents in [
        (Direction.PAYOUT, "1", 900_00),
        (Direction.PAYOUT, "2", 100_01),
        (Direction.DEBIT, "1", 1_400_00),
        (Direction.DEBIT, "2", 1),
    ]:
        order, _ = book.place(instruction(direction, reference, cents), at=NOON)
        book.settle(order.bank_reference, at=NOON)
    return book


def test_money_is_moved_and_never_made(tmp_path: Path) -> None:
    book = filled(tmp_path / "book")

    assert [order.state for order in book.orders()] == [
        OrderState.SUCCEEDED,
        OrderState.FAILED,
        OrderState.SUCCEEDED,
        OrderState.FAILED,
    ]
    assert [order.refusal.code for order in book.orders() if order.refusal] == [
        "PAYER_BALANCE_NOT_ENOUGH",
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    ]
    assert book.balances() == {"lender": 1_500_00, CARD: 0}


def test_a_cut_file_opens_and_no_whole_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "book"
    filled(path)
    whole = path.read_bytes()

    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for length in sorted({0, 1, *ends, *(end - 1 for end in ends), *range(ends[-2], ends[-1])}):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:length])
        book = open_book(cut)
        lines = whole[:length].count(b"\n")
        assert sum(book.balances().values()) in {1_000_00, 1_500_00}
        assert cut.read_bytes().count(b"\n") == max(lines, 1)
        if length == len(whole):
            assert book.orders() == open_book(path).orders()


def test_the_book_is_the_same_after_opening_again_even_with_other_opening_balances(
    tmp_path: Path,
) -> None:
    path = tmp_path / "book"
    book = filled(path)
    again = Book(path, opening_cents=1, lender_cents=1)

    assert again.balances() == book.balances()
    assert again.orders() == book.orders()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_in_the_middle_that_is_broken_is_never_skipped(tmp_path: Path) -> None:
    path = tmp_path / "book"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"kind"\n', *lines[1:]]))

    with pytest.raises(CorruptBookError, match="line 2"):
        open_book(path)


def test_an_order_is_settled_once(tmp_path: Path) -> None:
    book = open_book(tmp_path / "book")
    order, is_new = book.place(instruction(Direction.PAYOUT, "1", 100_00), at=NOON)
    book.settle(order.bank_reference, at=NOON)
    book.settle(order.bank_reference, at=NOON, refusal=Refusal("X", "too late"))
    same, is_new_again = book.place(instruction(Direction.PAYOUT, "1", 100_00), at=NOON)

    assert (is_new, is_new_again) == (True, False)
    assert same is order
    assert order.state is OrderState.SUCCEEDED
    assert book.balances() == {"lender": 900_00, CARD: 600_00}


def test_another_content_under_the_same_id_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "book"
    book = open_book(path)
    book.place(instruction(Direction.PAYOUT, "1", 100_00), at=NOON)
    before = path.read_bytes()

    with pytest.raises(ConflictingOrderError):
        book.place(instruction(Direction.PAYOUT, "1", 100_01), at=NOON)
    assert path.read_bytes() == before
    _, is_new = book.place(instruction(Direction.DEBIT, "1", 100_01), at=NOON)
    assert is_new


def test_a_write_that_fails_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "book"
    book = open_book(path)
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zhixin.sandbox.book.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        book.place(instruction(Direction.PAYOUT, "1", 100_00), at=NOON)

    assert path.read_bytes() == before
    assert book.orders() == []
    assert book.balances() == {"lender": 1_000_00}


@pytest.mark.parametrize(
    ("text", "cents"), [("12000.00", 1_200_000), ("0.01", 1), ("5", 500), ("5.1", 510)]
)
def test_an_amount_is_read_exactly(text: str, cents: int) -> None:
    assert parse_cents(text) == cents


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1.005", "1,000", "NaN", " 1", "٣", "1\n"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        parse_cents(text)


def test_faults_come_in_order_and_only_when_they_are_known() -> None:
    box = FaultBox(frozenset({"drop", "delay"}))
    box.add({"fault": "delay", "seconds": "0.5"})
    box.add({"fault": "drop", "count": 2})

    assert [box.take("drop"), box.take("drop"), box.take("drop")][2] is None
    for wish in [
        {},
        {"fault": "x"},
        {"fault": "drop", "count": 0},
        {"fault": "drop", "seconds": "x"},
    ]:
        with pytest.raises(UnknownFaultError):
            box.add(wish)
    assert box.waiting() == [{"name": "delay", "seconds": "0.5"}]


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    files = ensure_keys(tmp_path / "new")
    before = {path: path.read_text() for path in (tmp_path / "new").glob("*.pem")}
    files.lender_public.unlink()
    ensure_keys(tmp_path / "new")

    assert {path: path.read_text() for path in (tmp_path / "new").glob("*.pem")} == before
    assert {path.stat().st_mode & 0o777 for path in before} == {0o600}
    assert len(before) == 4
    assert public_pem_of(load_private_key(files.bank_private)) == files.bank_public.read_text()
    assert load_public_key(files.bank_public).key_size == 2048


def test_processes_that_start_together_share_the_same_keys(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zhixin.sandbox.keys", "--data-dir", str(tmp_path / "keys")]
    processes = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=30)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(outputs)) == 1
    files = ensure_keys(tmp_path / "keys")
    assert public_pem_of(load_private_key(files.bank_private)) == files.bank_public.read_text()
    assert public_pem_of(load_private_key(files.lender_private)) == files.lender_public.read_text()
    assert sorted(path.suffix for path in (tmp_path / "keys").iterdir()) == [
        ".lock",
        ".pem",
        ".pem",
        ".pem",
        ".pem",
    ]
