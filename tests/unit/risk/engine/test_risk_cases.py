from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from risk.engine.installments import UnknownMethodError, twelfths_installment
from tests.factories.risk import applicant, largest_installment, loan_request, yuan


@pytest.mark.parametrize(
    ("method", "installment"),
    [
        ("EQUAL_INSTALLMENT", "1100.16"),
        ("EQUAL_PRINCIPAL", "1180.00"),
        ("INTEREST_ONLY", "12180.00"),
        ("BULLET", "14160.00"),
    ],
)
def test_largest_installments_of_12000_over_12_months_at_18_percent(
    method: str, installment: str
) -> None:
    found = twelfths_installment(yuan(12000), Decimal("0.18"), 12, method)
    assert found == yuan(installment)
    assert found == largest_installment(yuan(12000), Decimal("0.18"), 12, method)


def test_without_interest_the_parts_are_equal_and_unknown_methods_are_refused() -> None:
    assert twelfths_installment(yuan(100), Decimal(0), 3, "EQUAL_INSTALLMENT") == yuan("33.33")
    with pytest.raises(UnknownMethodError):
        twelfths_installment(yuan(100), Decimal(0), 3, "FLAT")


def run(tmp_path: Path, text: str, *options: str) -> dict:
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")
    output = io.StringIO()
    call_command("decide", str(path), *options, stdout=output)
    return json.loads(output.getvalue())


def test_the_command_answers_cases_in_their_order(tmp_path: Path) -> None:
    good = {"facts": applicant().to_json(), "request": loan_request().to_json()}
    young = {"facts": applicant(age=17).to_json(), "request": loan_request().to_json()}
    first, second = run(tmp_path, json.dumps({"cases": [good, young]}))["cases"]
    assert (first["outcome"], first["limit"], first["annual_rate"], first["grade"]) == (
        "APPROVE",
        "37300.00",
        "0.1550",
        "B",
    )
    assert (second["outcome"], second["limit"], second["annual_rate"]) == ("DECLINE", "0.00", None)
    assert second["reasons"][0] == {
        "code": "TOO_YOUNG",
        "effect": "adverse",
        "detail": {"minimum": "18"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ('{"cases": {}}', "input.cases must be a list."),
        ('{"cases": [], "x": 1}', "input has unknown keys: 'x'."),
        (
            '{"cases": [{"facts": {"salary": 1}}]}',
            "input.cases[0].facts has unknown keys: 'salary'.",
        ),
        ('{"cases": [{"facts": {"age": NaN}}]}', "NaN is not a number."),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_the_command_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CommandError) as refusal:
        run(tmp_path, text)
    assert message in str(refusal.value)
    assert refusal.value.returncode == 2


def test_an_unknown_product_or_policy_is_named(tmp_path: Path) -> None:
    case = {"facts": {}, "request": loan_request(product_code="yacht").to_json()}
    with pytest.raises(CommandError, match=r"cases\[0\].request.product: .* no product 'yacht'"):
        run(tmp_path, json.dumps({"cases": [case]}))
    with pytest.raises(CommandError, match="There is no 'uk-1' among cn-2026-01"):
        run(tmp_path, '{"cases": []}', "--policy", "uk-1")
