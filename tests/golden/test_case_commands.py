"""The commands as an operator meets them: a process, no database, one line for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loans.engine.cases import (
    InvalidCaseError,
    answer_annualized_cost,
    answer_replay,
    answer_text,
)

ROOT = Path(__file__).parents[2]
TERMS = {
    "principal": "10000.00",
    "annual_rate": "0.12",
    "method": "EQUAL_INSTALLMENT",
    "installment_count": 12,
    "period": {"every": 1, "unit": "MONTH"},
    "day_count": "THIRTY_360",
    "disbursement_date": "2024-01-01",
    "rounding": "HALF_EVEN",
}
PERIODS = [("-100", 0), ("230", 1), ("-132", 2)]


def with_events(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    dated = [{"type": kind, "date": "2024-02-01"} | event for kind, event in events]
    return replay_case() | {"events": dated, "as_of": "2024-03-20"}


def run(command: str, data: object) -> subprocess.CompletedProcess[str]:
    text = data if isinstance(data, str) else json.dumps(data)
    return subprocess.run(
        [sys.executable, "manage.py", command, "-"],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )


def replay_case(**changes: Any) -> dict[str, Any]:
    return {"id": "one", "terms": TERMS | changes}


BEYOND = "1e99999999999999999999"


def text_of(**numbers: str) -> str:
    """Return a case as text, with numbers that are written as they stand."""
    text = json.dumps(replay_case(**{key: f"<{key}>" for key in numbers}))
    for key, digits in numbers.items():
        text = text.replace(f'"<{key}>"', digits)
    return text


def with_event(**event: Any) -> dict[str, Any]:
    return replay_case() | {"events": [{"type": "REPAYMENT", "id": "a"} | event]}


def test_events_that_found_nothing_to_change_are_named() -> None:
    case = with_events(
        ("REPAYMENT", {"id": "p", "amount": "888.49"}),
        ("DISPUTE_RESOLUTION", {"id": "unknown", "of": "nobody"}),
        ("DISPUTE_RESOLUTION", {"id": "of-money", "of": "p"}),
        ("WAIVER", {"id": "nothing", "penalty": "5.00"}),
        ("DUE_DATE_MOVE", {"id": "earlier", "number": 2, "payable_through": "2024-02-20"}),
        ("DISPUTE", {"id": "d", "number": 2}),
        ("DISPUTE_RESOLUTION", {"id": "answer", "of": "d"}),
        ("DISPUTE_RESOLUTION", {"id": "once-more", "of": "d"}),
        ("REVERSAL", {"id": "r1", "of": "p", "date": "2024-02-10"}),
        ("REVERSAL", {"id": "r2", "of": "p", "date": "2024-02-11"}),
    )
    idle = ["unknown", "of-money", "nothing", "earlier", "once-more", "r2"]
    assert answer_replay(case)["without_effect"] == idle
    assert answer_replay(replay_case())["without_effect"] == []


def test_a_cost_too_large_to_be_stated_is_none_and_the_rest_is_answered() -> None:
    """200.00 of 1,000 on the next day would be a rate of 10 to the power of 29 a year."""
    answer = answer_replay(
        replay_case(
            principal="1000.00",
            fees={"upfront_amount": "200.00"},
            first_due_date="2024-01-02",
            installment_count=1,
        )
    )
    assert answer["annualized_cost_pct"] is None
    assert answer["nominal_annualized_cost_pct"] is None
    explained = answer["explained"]
    assert isinstance(explained, dict)
    assert explained["annualized_cost"] == "200.33"
    assert answer["payoff_amount"] == "1200.00"


def test_a_case_alone_is_answered_alone() -> None:
    case = replay_case() | {
        "events": [
            {"type": "REPAYMENT", "id": "p", "date": "2024-02-01", "amount": "888.49"},
            {"type": "REPAYMENT", "id": "q", "date": "2024-02-10", "amount": "100.00"},
            {"type": "REVERSAL", "of": "q", "date": "2024-02-12"},
        ],
        "as_of": "2024-02-15",
    }
    done = run("replay", case)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["id"] == "one"
    assert answer["status"] == "ACTIVE"
    assert answer["payoff_amount"] == "9255.98"
    assert answer["outstanding"]["principal"] == "9211.51"
    assert answer["annualized_cost_pct"] == "12.682631"
    assert answer["installments"][0]["paid"] == "888.49"
    assert answer["totals"]["total"] == "10661.86"
    lines = [line for line in answer["lines"] if line["of"] == "accrued_interest"]
    assert [(line["amount"], line["days"]) for line in lines] == [
        ("44.46935862", 14),
        ("0.00064138", None),
    ]


def test_a_case_asks_for_the_numbers_that_it_wants_explained() -> None:
    case = replay_case() | {"explain": ["installment.1.principal", "due_now", "due_now"]}
    answer: Any = answer_replay(case)
    assert answer["explained"] == {"installment.1.principal": "788.49", "due_now": "0.00"}
    assert [(line["of"], line["amount"], line["rule"]) for line in answer["lines"]] == [
        ("installment.1.principal", "888.49", "LEVEL_INSTALLMENT"),
        ("installment.1.principal", "-100.00", "LESS_INTEREST"),
    ]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (replay_case(principal="1.234"), "case one: terms.principal: '1.234' has more than two"),
        (replay_case(principal="0"), "case one: terms.principal: 0.00 is not positive"),
        (replay_case(annual_rate="x"), "case one: terms.annual_rate: 'x' is not a number"),
        (replay_case(annual_rate="-0"), "case one: terms.annual_rate: -0 is negative"),
        (replay_case(annual_rate="-0.01"), "case one: terms.annual_rate: -0.01 is negative"),
        (replay_case(annual_rate=True), "case one: terms.annual_rate: True is not an exact"),
        (replay_case(method="LEVEL"), "case one: terms.method: 'LEVEL' is unknown"),
        (replay_case(installment_count=0), "case one: terms.installment_count: 0 is not"),
        (replay_case(grace_principal_periods=12), "case one: terms.grace_principal_periods: 12"),
        (replay_case(first_due_date="2024-01-01"), "case one: terms.first_due_date: 2024-01-01"),
        (replay_case(disbursement_date="1/2/24"), "case one: terms.disbursement_date: '1/2/24'"),
        (replay_case(disbursement_date="9999-12-01"), "case one: terms.disbursement_date"),
        (
            replay_case(installment_count=1200, period={"every": 366, "unit": "MONTH"}),
            "case one: terms.installment_count: leads beyond the calendar",
        ),
        (replay_case(colour="red"), "case one: terms.colour: is an unknown key"),
        ({"id": "one"}, "case one: terms: is missing"),
        ({"terms": TERMS}, "case 1: id: is missing"),
        (replay_case() | {"event": []}, "case one: event: is an unknown key"),
        (replay_case() | {"explain": "due_now"}, "case one: explain: 'due_now' is not a list"),
        (replay_case() | {"explain": [7]}, "case one: explain[0]: 7 is not a text"),
        (
            replay_case() | {"explain": ["due_now", "installment.12.payed"]},
            "'installment.12.payed' is no number of this loan. Write one of installment.12.paid, ",
        ),
        (with_event(date="2024-02-01"), "case one: events[0].amount: is missing"),
        (with_event(date="2024-02-01", amount="-1"), "case one: events[0].amount: -1.00 is not"),
        (with_event(date="2023-02-01", amount="1"), "case one: events[0].date: 'a' counts from"),
        (with_event(type="GIFT"), "case one: events[0].type: 'GIFT' is unknown"),
        (
            with_events(("REVERSAL", {"of": "nobody"})),
            "case one: events[0].of: 'reversal-of-nobody' names 'nobody', which is not an event",
        ),
        (
            with_events(("CHARGE_OFF", {"id": "c"}), ("REVERSAL", {"id": "r", "of": "zz"})),
            "case one: events[1].of: 'r' names 'zz', which is not an event that can be reversed",
        ),
        (
            with_events(
                ("REVERSAL", {"of": "disbursement"}), ("REFUND", {"id": "c", "amount": "1.00"})
            ),
            "case one: events[1].amount: 'c' refunds more than is held while nothing is paid out",
        ),
        (
            with_events(
                *[
                    ("DISBURSEMENT", {"id": i, "date": "2024-01-01", "amount": "10000.00"})
                    for i in ("p", "q")
                ]
            ),
            "case one: events[1].type: 'q' pays out a loan that is paid out already",
        ),
        (
            with_events(("DISBURSEMENT", {"id": "p", "amount": "1.00"})),
            "case one: events[0].amount: 'p' pays out 1.00, not the principal",
        ),
        ({"cases": [replay_case(), 3]}, "case 2: is not an object"),
        ({"cases": 3}, "input: cases: is not a list"),
        ("[1", "input: is not JSON at line 1"),
        (
            with_events(("REVERSAL", {"of": "disbursement"}), ("REVERSAL", {"of": "disbursement"})),
            "case one: events[1].id: 'disbursement' is reversed twice by reversals without an id",
        ),
        (
            with_events(("REPAYMENT", {"amount": "1.00"})),
            "case one: events[0].id: is missing. Add it.",
        ),
        (
            with_events(("REPAYMENT", {"amount": "1.00", "id": None})),
            "case one: events[0].id: is missing. Add it.",
        ),
        (
            with_events(("REVERSAL", {"id": None, "of": "disbursement"})),
            "case one: events[0].id: is missing. Add it.",
        ),
        (
            with_events(("CHARGE_OFF", {"id": "a"}), ("CHARGE_OFF", {"id": "a"})),
            "case one: events[1].id: 'a' is the id of events[0] too. Give each event an id of its",
        ),
        (
            {"cases": [replay_case(), replay_case() | {"id": "two"}, replay_case()]},
            "case 3: id: 'one' is the id of case 1 too. Give each case an id of its own.",
        ),
        ({"cases": [], "foo": 1}, "input: foo: is an unknown key. Remove it, or use one of cases,"),
        (
            replay_case(rounding="UP"),
            "case one: terms.rounding: 'UP' is not for interest and fees. Write one of HALF_EVEN, ",
        ),
        (replay_case(rounding="DOWN"), "case one: terms.rounding: 'DOWN' is not for interest"),
        (
            replay_case(method="BULLET", grace_principal_periods=2),
            "case one: terms.grace_principal_periods: has no effect on BULLET, which has one",
        ),
        (" \n", 'input: is empty. Write {"cases": [...]}.'),
        ([replay_case()], 'input: is a list. Write {"cases": [...]}.'),
        ('{"id": "one", "terms": %s}' % ("9" * 5000), "case one: terms: is not an object"),
        ('{"id": "one", "terms": NaN}', "case one: terms: is not an object"),
        (replay_case(principal="1e5"), "case one: terms.principal: '1e5' is not a number"),
        (replay_case(principal="1_000"), "case one: terms.principal: '1_000' is not a number"),
        (replay_case(principal=" 12"), "case one: terms.principal: ' 12' is not a number"),
        (replay_case(principal="\uff11\uff12"), "case one: terms.principal: '\uff11\uff12' is not"),
        (replay_case(principal="9" * 400), "9... is not a usable number"),
        (replay_case(disbursement_date="20240101"), "case one: terms.disbursement_date: '2024"),
        (replay_case() | {"id": "a\nb"}, "case 1: id: 'a\\nb' is not a text"),
        (replay_case() | {"id": "\ud800"}, "case 1: id: '\\ud800' is not a text"),
        (replay_case(principal="x") | {"id": "a" * 1000}, "aaa: terms.principal: 'x' is not"),
        ('{"id": "a", "id": "b"}', "case 1: id: stands twice in one object"),
        (text_of(principal=BEYOND), f"case one: terms.principal: {BEYOND} is not an exact number"),
        (text_of(installment_count=BEYOND), f"terms.installment_count: {BEYOND} is not a whole"),
        (text_of(disbursement_date=BEYOND), f"terms.disbursement_date: {BEYOND} is not a date"),
        (f'{{"id": {BEYOND}, "terms": {{}}}}', f"case 1: id: {BEYOND} is not a text"),
        ('{"cases": [], "x\\ny": 1}', "input: x\\ny: is an unknown key"),
        ('{"a\\nb": 1, "a\\nb": 2}', "case 1: a\\nb: stands twice in one object"),
        ('{"cases": [], "\\u001b[31m": 1}', "input: \\x1b[31m: is an unknown key"),
        ('{"id": "one", "\\u001b[31m": 1, "terms": {}}', "case one: "),
        (replay_case() | {"\u001b[31m": 1}, "case one: \\x1b[31m: is an unknown key"),
        ('{"cases": [], "cases": []}', "input: cases: stands twice in one object"),
        (
            '{"cases": [{"id": "a"}, {"id": "b", "terms": {"fees": {"x": 1, "x": 2}}}]}',
            "case b: terms.fees.x: stands twice in one object. Remove one.",
        ),
        (
            '{"cases": [{"id": "a"}, {"events": [{}, {"amount": "1", "amount": "2"}]}]}',
            "case 2: events[1].amount: stands twice in one object. Remove one.",
        ),
        ('[{"a": 1, "a": 2}]', "input: [0].a: stands twice in one object."),
        (
            replay_case(principal="100000000000000000000.00"),
            "terms.principal: '100000000000000000000.00' is too large for an amount. Write less",
        ),
        (
            text_of(principal="1e5"),
            "case one: terms.principal: 1E+5 is not written out. Write all digits as a text such",
        ),
        (text_of(principal="1e20"), "case one: terms.principal: 1E+20 is too large for an amount"),
        (
            replay_case(fees={"upfront_amount": "-1.00"}),
            "case one: terms.fees.upfront_amount: -1.00 is negative. Write 0.00 or more.",
        ),
        (
            replay_case(fees={"upfront_amount": "1.00", "installment_amount": "-0.01"}),
            "case one: terms.fees.installment_amount: -0.01 is negative. Write 0.00 or more.",
        ),
        (
            with_events(("DISBURSEMENT", {"id": "p", "amount": "10000.00", "date": "2022-12-30"})),
            "events[0].date: the payout on 2022-12-30 is more than a year from 2024-01-01, the",
        ),
        (
            replay_case(allocation=["x" * 10_000]),
            "... does not hold each bucket once. Write an order such as",
        ),
        (
            replay_case(rounding="NEAREST"),
            "terms.rounding: 'NEAREST' is unknown. Write one of HALF_EVEN, HALF_UP.",
        ),
        (replay_case() | {"explain": ["x" * 200_000]}, "x... is no number of this loan. Write"),
        (with_event(date="2024-02-01", amount="1", type="T" * 10**5), "T... is unknown. Write"),
        (
            with_events(("REVERSAL", {"of": "n" * 200_000})),
            "events[0].of: 'reversal-of-nnn",
        ),
        (
            with_events(
                (
                    "PLAN_CHANGE",
                    {
                        "id": "plan",
                        "annual_rate": "0.1",
                        "installment_count": 1200,
                        "first_due_date": "2200-01-01",
                        "period": {"every": 366, "unit": "MONTH"},
                        "method": "EQUAL_INSTALLMENT",
                    },
                )
            ),
            "case one: events[0].installment_count: leads beyond the calendar. Write fewer",
        ),
        ("[" * 100_000, "input: is nested too deeply"),
    ],
)
def test_a_malformed_case_gets_one_line(case: object, message: str) -> None:
    text = case if isinstance(case, str) else json.dumps(case)
    with pytest.raises(InvalidCaseError) as caught:
        answer_text(text, answer_replay)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200


def test_numbers_beyond_reckoning_in_what_is_passed_over_are_no_mistake() -> None:
    remarks = f'{{"x": {BEYOND}, "y": -1e-{"9" * 20}, "z": {"9" * 5000}}}'
    text = json.dumps(replay_case(), indent=None)[:-1] + f', "expected": {remarks}}}'
    assert json.loads(answer_text(text, answer_replay))["payoff_amount"] == "10000.00"


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(100_000))
    started = time.process_time()
    with pytest.raises(InvalidCaseError, match="case 1: k99999: stands twice in one object"):
        answer_text(f'{{{keys}, "k99999": 2}}', answer_replay)
    assert time.process_time() - started < 10  # Counting each key would take minutes.


@pytest.mark.parametrize("command", ["replay", "annualized_cost"])
def test_a_mistake_is_one_line_on_stderr_and_exit_2(command: str) -> None:
    done = run(command, {"cases": [{"id": "one", "colour": "red"}]})
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "case one: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["replay", "annualized_cost"])
def test_a_key_beside_the_cases_is_refused(command: str) -> None:
    done = run(command, {"cases": [], "foo": 1})
    assert (done.returncode, done.stdout) == (2, "")
    assert "input: foo: is an unknown key. Remove it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert json.loads(run(command, {"cases": [], "note": "of mine"}).stdout) == {"cases": []}


def test_an_id_that_is_left_out_is_none_that_is_given() -> None:
    """A repayment may be called what the payout, or a reversal, would be called."""
    case = with_events(
        ("REPAYMENT", {"id": "disbursement", "amount": "888.49"}),
        ("REPAYMENT", {"id": "reversal-of-disbursement", "amount": "10.00"}),
        ("REVERSAL", {"of": "disbursement"}),
    )
    answer: Any = answer_replay(case)
    assert answer["totals"]["paid"] == "10.00"
    assert answer["outstanding"]["principal"] == "10000.00"


def test_a_missing_file_is_one_line_and_exit_2() -> None:
    with pytest.raises(CommandError, match="nothing-here: No such file") as caught:
        call_command("replay", "nothing-here")
    assert caught.value.returncode == 2


def flows(method: str = "EFFECTIVE", **more: Any) -> dict[str, Any]:
    listed = [{"amount": amount, "period": period} for amount, period in PERIODS]
    return {"id": "one", "method": method, "flows": listed} | more


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (flows("NOMINAL"), "case one: periods_per_year: is missing"),
        (flows("NOMINAL", periods_per_year=0), "case one: periods_per_year: 0 is not positive"),
        (flows("APR"), "case one: method: 'APR' is unknown"),
        (flows(flows=[{"amount": "1"}]), "case one: flows[0].years: does not place"),
        (flows(flows=[{"amount": "1", "years": "1/0"}]), "case one: flows[0].years: '1/0'"),
        (flows(flows={}), "case one: flows: {} is not a list"),
        (flows(flows=[{"amount": "1", "years": "1e9"}]), "flows[0].years: '1e9' is not a fraction"),
        (flows(flows=[{"amount": "1", "years": "1_0"}]), "flows[0].years: '1_0' is not a fraction"),
        (
            flows(flows=[{"amount": "1", "years": "1"}, {"amount": "2", "period": 1}]),
            "case one: flows[1].period: does not place every flow in the same one way",
        ),
    ],
)
def test_malformed_flows_get_one_line(case: object, message: str) -> None:
    with pytest.raises(InvalidCaseError) as caught:
        answer_text(json.dumps(case), answer_annualized_cost)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_flows_without_a_single_answer_get_an_error_and_no_number() -> None:
    good = flows(flows=[{"amount": "-100", "years": "0"}, {"amount": "110", "years": "1"}])
    none = flows(flows=[{"amount": "100", "years": "0"}], id="none")
    done = run("annualized_cost", {"cases": [good, flows(id="two"), none]})
    assert done.returncode == 2
    answers = json.loads(done.stdout)["cases"]
    assert answers[0] == {"id": "one", "annualized_cost_pct": "10.000000"}
    assert set(answers[1]) == set(answers[2]) == {"id", "error"}
    assert "More than one rate may balance the flows" in answers[1]["error"]
    assert "No rate balances the flows" in answers[2]["error"]
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([("-0.01", "0"), ("99999999.00", "1/365")], "too large to be stated"),
        ([("-100", "0"), ("110", "1/999999999989"), ("1", "1/999999999961")], "too large"),
        ([("100", "0"), ("-230", "1"), ("132", "2")], "More than one rate may balance"),
        ([("-100", "0"), ("-10", "1")], "No rate balances the flows"),
        ([("-100", "0"), ("110", "0")], "No rate balances the flows"),
    ],
)
def test_flows_that_no_number_answers(listed: list[tuple[str, str]], message: str) -> None:
    case = flows(flows=[{"amount": amount, "years": years} for amount, years in listed])
    answer = json.loads(answer_text(json.dumps(case), answer_annualized_cost))
    assert set(answer) == {"id", "error"}
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("listed", "percent"),
    [
        ([("110", "1"), ("-100", "0")], "10.000000"),
        ([("-100", "-1"), ("110", "0")], "10.000000"),
        ([("-100", "0"), ("-50", "0"), ("165", "1")], "10.000000"),
        ([("-1000000", "0"), ("0.01", "1")], "-99.999999"),
        ([("-150", "0"), ("191.99", "9/365")], "2223427.523829"),
    ],
)
def test_flows_in_any_order_and_of_any_size(listed: list[tuple[str, str]], percent: str) -> None:
    case = flows(flows=[{"amount": amount, "years": years} for amount, years in listed])
    answer = json.loads(answer_text(json.dumps(case), answer_annualized_cost))
    assert answer == {"id": "one", "annualized_cost_pct": percent}


@pytest.mark.parametrize("data", [b"", b"\xff\xfe{\x00", b"\x00\x01"])
@pytest.mark.parametrize("command", ["replay", "annualized_cost"])
def test_a_file_that_is_no_text_of_cases(command: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_bytes(data)
    for name in (tmp_path / "cases.json", tmp_path):
        with pytest.raises(CommandError, match=r"^input: .*\.$") as caught:
            call_command(command, str(name))
        assert caught.value.returncode == 2


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    many = {"cases": [replay_case() | {"id": str(number)} for number in range(20)]}
    (tmp_path / "many.json").write_text(json.dumps(many))
    command = [sys.executable, "manage.py", "replay", str(tmp_path / "many.json")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("streams", "status", "line"),
    [
        ("- <&-", 2, "CommandError: input: -: is closed. Name a readable file."),
        (
            "case.json >/dev/full",
            1,
            "CommandError: output: No space left on device. Write the answer elsewhere.",
        ),
        ("case.json >&-", 1, "CommandError: output: is closed. Write the answer elsewhere."),
        (
            "chinese.json >/dev/null",
            1,
            "CommandError: output: takes no UTF-8. Set PYTHONIOENCODING=utf-8.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["replay", "annualized_cost"])
def test_streams_in_trouble_get_one_line(
    command: str, streams: str, status: int, line: str, tmp_path: Path
) -> None:
    case = replay_case() if command == "replay" else flows(flows=[])
    if command == "annualized_cost":
        case["flows"] = [{"amount": "-100", "years": "0"}, {"amount": "110", "years": "1"}]
    (tmp_path / "case.json").write_text(json.dumps(case))
    (tmp_path / "chinese.json").write_text(json.dumps(case | {"id": "\u4e00"}))
    manage = f"cd {tmp_path} && {sys.executable} {ROOT / 'manage.py'} {command} {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", manage],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (status, "", [line])


Events = list[tuple[str, dict[str, Any]]]


def strange_orders() -> list[tuple[Events, Events]]:
    """Return event lists and what each comes to (docs/formulas/cases.md)."""
    off: tuple[str, dict[str, Any]] = ("CHARGE_OFF", {"id": "c"})
    paid: tuple[str, dict[str, Any]] = ("REPAYMENT", {"id": "a", "amount": "10.00"})
    return [
        ([("REVERSAL", {"of": "a", "date": "2024-01-20"}), paid], []),
        ([paid, ("REVERSAL", {"id": "r", "of": "a"}), ("REVERSAL", {"id": "s", "of": "a"})], []),
        ([off, ("CHARGE_OFF", {"id": "d", "date": "2024-03-15"})], [off]),
        ([("RECOVERY", {"id": "a", "amount": "10.00"})], [paid]),
        ([("DISPUTE_RESOLUTION", {"id": "d", "of": "nobody"})], []),
    ]


@pytest.mark.parametrize(("given", "same_as"), strange_orders())
def test_a_strange_order_comes_to_what_is_documented(given: Events, same_as: Events) -> None:
    found, wanted = (answer_replay(with_events(*events)) for events in (given, same_as))
    for key in ("status", "installments", "outstanding", "payoff_amount", "balances"):
        assert found[key] == wanted[key]
