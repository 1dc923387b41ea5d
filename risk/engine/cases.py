"""Decides on cases given as JSON text; the answers are JSON too. No database, no clock."""

from __future__ import annotations

import json
from decimal import Decimal

from risk.engine.decision import decide
from risk.engine.documents import DocumentReader, items
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.engine.installments import twelfths_installment
from risk.engine.policy import Policy, PolicyError
from risk.engine.scorecard import Scorecard


class InvalidCaseError(ValueError):
    """The text cannot be decided on; the message names the place and what is wrong there."""


def answer_cases(text: str, *, policy: Policy, scorecard: Scorecard) -> dict[str, object]:
    """Return `{"cases": [decision, …]}` for `{"cases": [{"facts", "request"}, …]}`, in order.

    Keys are those of docs/risk/facts.md. Raises InvalidCaseError at the first thing amiss.
    """
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        reader = DocumentReader(document, where="input")
        cases = reader.required("cases", items(_read_case))
        reader.finish()
    except RecursionError as error:
        raise InvalidCaseError("input is nested too deeply.") from error
    except ValueError as error:
        raise InvalidCaseError(str(error)) from error
    answers: list[dict[str, object]] = []
    for index, (facts, request) in enumerate(cases):
        try:
            decision = decide(
                facts=facts,
                request=request,
                policy=policy,
                scorecard=scorecard,
                installment_for=twelfths_installment,
            )
        except PolicyError as error:
            raise InvalidCaseError(f"input.cases[{index}].request.product: {error}") from error
        answers.append(decision.to_json())
    return {"cases": answers}


def _read_case(document: object, where: str) -> tuple[ApplicantFacts, LoanRequest]:
    reader = DocumentReader(document, where=where)
    case = (
        reader.required("facts", ApplicantFacts.from_json),
        reader.required("request", LoanRequest.from_json),
    )
    reader.finish()
    return case


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number.")
