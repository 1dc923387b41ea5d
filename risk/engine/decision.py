"""Facts in, decision out: knock-outs, score, affordability, limit, price, reasons.

Same facts, same request, same policy and card, same decision: nothing here reads a clock, a
database or a language. Laws (tests/unit/risk hold them): more income, fewer debts or a better
history never worsen a decision; an approved amount lies within the request and the limit; its
installment fits an ordinary and a bad month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from risk.engine.affordability import (
    Capacity,
    Line,
    LineCode,
    largest_affordable_principal,
    repayment_capacity,
)
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.engine.knockouts import Case, Result, Rule, Verdict, run_knockouts
from risk.engine.policy import GradeRule, Policy
from risk.engine.pricing import Price, price
from risk.engine.reasons import Reason, ReasonCode, adverse, helpful
from risk.engine.scorecard import SCORE_FEATURES, FeaturePoints, Score, Scorecard, score_features
from zhixin.shared.money import Money, Rounding
from zhixin.shared.rates import percent_text

MAX_ADVERSE_REASONS = 4
MAX_HELPFUL_REASONS = 3
# Longer terms that are tried for "with … months: yes".
MAX_TERMS_TRIED = 4


class Outcome(StrEnum):
    """What a decision says."""

    APPROVE = "APPROVE"
    REFER = "REFER"
    DECLINE = "DECLINE"


class InstallmentMath(Protocol):
    """The lender's own schedule arithmetic, passed in by whoever asks for a decision."""

    def __call__(
        self, principal: Money, annual_rate: Decimal, installment_count: int, method: str
    ) -> Money:
        """Return the largest installment of a loan; must not fall as the principal grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """What would have been approved in full: a smaller amount, a longer term, or either."""

    amount: Money | None
    installment_count: int | None

    def to_json(self) -> dict[str, object]:
        """Return the counterfactual as JSON holds it."""
        return {
            "amount": None if self.amount is None else str(self.amount),
            "term": self.installment_count,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, and everything that led to it.

    `limit` is the most that this person may borrow now (0.00 on a decline); `approved_amount` is at
    most the request, and None unless approved; `annual_rate` is a fraction, None on a decline.
    """

    outcome: Outcome
    score: Score
    grade: str | None
    limit: Money
    annual_rate: Decimal | None
    approved_amount: Money | None
    installment: Money | None
    reasons: tuple[Reason, ...]
    verdicts: tuple[Verdict, ...]
    lines: tuple[Line, ...]
    price: Price | None
    counterfactual: Counterfactual | None
    policy: str
    scorecard: str

    def to_json(self) -> dict[str, object]:
        """Return the decision as JSON holds it: amounts and rates as text."""
        return {
            "outcome": self.outcome.value,
            "limit": str(self.limit),
            "approved_amount": _text(self.approved_amount),
            "installment": _text(self.installment),
            "annual_rate": _text(self.annual_rate),
            "grade": self.grade,
            "score": self.score.score,
            "pd": str(self.score.pd),
            "score_base": self.score.base_points,
            "score_lines": [line.to_json() for line in self.score.lines],
            "reasons": [reason.to_json() for reason in self.reasons],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "affordability": [line.to_json() for line in self.lines],
            "price": _price_json(self.price),
            "counterfactual": (
                None if self.counterfactual is None else self.counterfactual.to_json()
            ),
            "policy": self.policy,
            "scorecard": self.scorecard,
        }


def decide(
    *,
    facts: ApplicantFacts,
    request: LoanRequest,
    policy: Policy,
    scorecard: Scorecard,
    installment_for: InstallmentMath,
) -> Decision:
    """Return the decision on `request`.

    Raises PolicyError when the policy does not have the product.
    """
    subject = _Subject(
        facts=facts, policy=policy, scorecard=scorecard, installment_for=installment_for
    )
    decision = subject.decide(request)
    return replace(decision, counterfactual=_counterfactual(subject, request, decision))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """The limit with what bounds it, and the verdicts about it."""

    limit: Money
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """One person under one policy; decides on any request of theirs."""

    facts: ApplicantFacts
    policy: Policy
    scorecard: Scorecard
    installment_for: InstallmentMath

    def decide(self, request: LoanRequest) -> Decision:
        """Return the decision without what would change it."""
        product = self.policy.product(request.product_code)
        capacity = repayment_capacity(facts=self.facts, policy=self.policy)
        case = Case(
            facts=self.facts,
            request=request,
            policy=self.policy,
            product=product,
            capacity=capacity,
        )
        knockouts = run_knockouts(case)
        installment = self._installment(case, request.amount, knockouts)
        score = self.scorecard.evaluate(
            score_features(facts=self.facts, capacity=capacity, installment=installment)
        )
        grade = self.policy.grade_for(score.score)
        offer = self._offer(case, grade, installment)
        offered_price = _price(case, grade, score, installment)
        verdicts = (
            *knockouts,
            _score_verdict(score, grade, knockouts),
            *offer.verdicts,
            _price_verdict(offered_price),
        )
        outcome = _outcome(verdicts)
        declined = outcome is Outcome.DECLINE
        approved = min(request.amount, offer.limit) if outcome is Outcome.APPROVE else None
        final_price = None if declined else offered_price
        return Decision(
            outcome=outcome,
            score=score,
            grade=None if grade is None else grade.code,
            limit=Money.zero() if declined else offer.limit,
            annual_rate=None if final_price is None else final_price.annual_rate,
            approved_amount=approved,
            installment=(
                None
                if approved is None or final_price is None
                else self.installment_for(
                    approved, final_price.annual_rate, request.installment_count, request.method
                )
            ),
            reasons=_reasons(
                outcome,
                verdicts=verdicts,
                score=score,
                offered=final_price,
                fits_easily=(
                    capacity is not None
                    and installment is not None
                    and capacity.is_comfortable(installment)
                ),
            ),
            verdicts=verdicts,
            lines=_lines(capacity, installment, case),
            price=final_price,
            counterfactual=None,
            policy=self.policy.code,
            scorecard=self.scorecard.code,
        )

    def _installment(
        self, case: Case, principal: Money, knockouts: tuple[Verdict, ...]
    ) -> Money | None:
        """Return the largest installment at the list rate; None for terms that are not offered."""
        needed = {Rule.METHOD, Rule.TERM}
        if any(each.rule in needed and each.result is not Result.PASS for each in knockouts):
            return None
        request = case.request
        return self.installment_for(
            principal, case.product.list_rate, request.installment_count, request.method
        )

    def _offer(self, case: Case, grade: GradeRule | None, installment: Money | None) -> _Offer:
        """Return limit = min(product, law, k * income, affordable) - open principal, by steps."""
        capacity, exposure = case.capacity, self.facts.open_principal
        if capacity is None or installment is None or exposure is None:
            unknown = (Rule.AFFORDABILITY, Rule.STRESS, Rule.LIMIT)
            verdicts = tuple(Verdict(rule=rule, result=Result.UNKNOWN) for rule in unknown)
            return _Offer(limit=Money.zero(), verdicts=verdicts)
        ceilings = _ceilings(case, capacity, grade)
        ceiling = min(amount for _code, amount in ceilings)
        searched = min(case.product.amount_max, case.limits.credit_per_person_max)
        ordinary, stressed = (
            self._affordable(case, installment_max, searched)
            for installment_max in (
                capacity.largest_installment,
                capacity.largest_installment_in_stress,
            )
        )
        least = case.product.amount_min

        def room(amount: Money) -> Money:
            left = max(amount - exposure, Money.zero())
            return Money(left.cents - left.cents % case.limits.amount_step.cents)

        ordinary_room, stressed_room = room(min(ceiling, ordinary)), room(min(ceiling, stressed))
        wanted = min(case.request.amount, room(ceiling))
        verdicts = (
            _affordability_verdict(
                capacity,
                installment,
                is_reduced=ordinary_room < wanted,
                offers_least=ordinary_room >= least,
                exposure=exposure,
            ),
            _stress_verdict(
                capacity,
                installment,
                is_reduced=stressed_room < min(wanted, ordinary_room),
                # Where an ordinary month leaves no offer, that is the reason already.
                offers_least=stressed_room >= least or ordinary_room < least,
            ),
            _limit_verdict(
                ceilings,
                exposure=exposure,
                is_reduced=wanted < case.request.amount,
                offers_least=room(ceiling) >= least,
            ),
        )
        # A person who decides about a case that only stress stops needs the ordinary limit.
        return _Offer(
            limit=stressed_room if stressed_room >= least else ordinary_room, verdicts=verdicts
        )

    def _affordable(self, case: Case, installment_max: Money, principal_max: Money) -> Money:
        request, rate = case.request, case.product.list_rate

        def installment_of(principal: Money) -> Money:
            return self.installment_for(principal, rate, request.installment_count, request.method)

        return largest_affordable_principal(
            installment_max=installment_max,
            principal_max=principal_max,
            step=case.limits.amount_step,
            installment_of=installment_of,
        )


def _ceilings(
    case: Case, capacity: Capacity, grade: GradeRule | None
) -> tuple[tuple[ReasonCode, Money], ...]:
    """Return what bounds the limit besides affordability; without a grade the worst one's k."""
    multiple = (grade or case.policy.grades[-1]).income_multiple
    by_income = Money.rounded(capacity.income.amount * multiple, rounding=Rounding.DOWN)
    return (
        (ReasonCode.LIMIT_BY_PRODUCT, case.product.amount_max),
        (ReasonCode.LIMIT_BY_LAW, case.limits.credit_per_person_max),
        (ReasonCode.LIMIT_BY_INCOME, by_income),
    )


def _affordability_verdict(
    capacity: Capacity,
    installment: Money,
    *,
    is_reduced: bool,
    offers_least: bool,
    exposure: Money,
) -> Verdict:
    """Return whether the request fits an ordinary month; a smaller offer comes before a decline."""
    codes = capacity.failures(installment)
    if not codes and not is_reduced:
        return Verdict(rule=Rule.AFFORDABILITY, result=Result.PASS)
    reasons = [_cap_reason(capacity, code, installment) for code in codes]
    if not reasons and exposure:
        reasons = [adverse(ReasonCode.LIMIT_USED, open_principal=exposure)]
    return Verdict(
        rule=Rule.AFFORDABILITY,
        result=Result.LIMITS if offers_least else Result.DECLINE,
        reasons=tuple(reasons) or (_cap_reason(capacity, capacity.tightest_cap, installment),),
    )


def _cap_reason(capacity: Capacity, code: ReasonCode, installment: Money) -> Reason:
    maximum = max(dict(capacity.caps)[code], Money.zero())
    return adverse(code, installment=installment, maximum=maximum)


def _stress_verdict(
    capacity: Capacity, installment: Money, *, is_reduced: bool, offers_least: bool
) -> Verdict:
    """Return whether the request fits a bad month; when no offer would, a person decides."""
    if installment <= capacity.cap_stress and not is_reduced:
        return Verdict(rule=Rule.STRESS, result=Result.PASS)
    maximum = max(capacity.cap_stress, Money.zero())
    return Verdict(
        rule=Rule.STRESS,
        result=Result.LIMITS if offers_least else Result.REFER,
        reasons=(adverse(ReasonCode.STRESS_FAILS, installment=installment, maximum=maximum),),
    )


def _limit_verdict(
    ceilings: tuple[tuple[ReasonCode, Money], ...],
    *,
    exposure: Money,
    is_reduced: bool,
    offers_least: bool,
) -> Verdict:
    """Return whether the request lies within the limit, affordability apart."""
    if not is_reduced:
        return Verdict(rule=Rule.LIMIT, result=Result.PASS)
    code, ceiling = min(ceilings, key=lambda pair: pair[1])
    reasons = [adverse(code, maximum=ceiling)]
    if exposure:
        reasons.append(adverse(ReasonCode.LIMIT_USED, open_principal=exposure))
    return Verdict(
        rule=Rule.LIMIT,
        result=Result.LIMITS if offers_least else Result.DECLINE,
        reasons=tuple(reasons),
    )


def _score_verdict(
    score: Score, grade: GradeRule | None, knockouts: tuple[Verdict, ...]
) -> Verdict:
    """Return what the score says; its reasons are the features that cost the most points.

    A low score that unknown facts may have caused says nothing: it neither declines nor explains.
    """
    if grade is not None and grade.automatic:
        return Verdict(rule=Rule.SCORE, result=Result.PASS)
    if any(each.rule is Rule.COMPLETENESS and each.reasons for each in knockouts):
        return Verdict(rule=Rule.SCORE, result=Result.UNKNOWN)
    lost = score.by_points_lost()[:MAX_ADVERSE_REASONS]
    return Verdict(
        rule=Rule.SCORE,
        result=Result.DECLINE if grade is None else Result.REFER,
        reasons=tuple(_score_reason(line, adverse) for line in lost),
    )


def _score_reason(line: FeaturePoints, make: Callable[..., Reason]) -> Reason:
    value = "" if line.value is None else line.value
    return make(SCORE_FEATURES[line.feature], value=value)


def _price(
    case: Case, grade: GradeRule | None, score: Score, installment: Money | None
) -> Price | None:
    if grade is None or case.capacity is None or installment is None:
        return None
    return price(
        product=case.product,
        grade=grade,
        pd=score.pd,
        is_comfortable=case.capacity.is_comfortable(installment),
        thresholds=case.limits,
    )


def _price_verdict(offered: Price | None) -> Verdict:
    if offered is None:
        return Verdict(rule=Rule.PRICE, result=Result.UNKNOWN)
    if offered.covers_floor:
        return Verdict(rule=Rule.PRICE, result=Result.PASS)
    reason = adverse(ReasonCode.PRICE_BELOW_FLOOR)
    return Verdict(rule=Rule.PRICE, result=Result.REFER, reasons=(reason,))


def _outcome(verdicts: tuple[Verdict, ...]) -> Outcome:
    results = {verdict.result for verdict in verdicts}
    if Result.DECLINE in results:
        return Outcome.DECLINE
    if results & {Result.REFER, Result.UNKNOWN}:
        return Outcome.REFER
    return Outcome.APPROVE


_DRIVERS = {
    Outcome.DECLINE: {Result.DECLINE},
    Outcome.REFER: {Result.REFER, Result.UNKNOWN},
    Outcome.APPROVE: {Result.LIMITS},
}


def _reasons(
    outcome: Outcome,
    *,
    verdicts: tuple[Verdict, ...],
    score: Score,
    offered: Price | None,
    fits_easily: bool,
) -> tuple[Reason, ...]:
    """Return up to four adverse reasons that drove the outcome, then up to three helpful ones.

    On an approval the adverse ones are what made it smaller or dearer.
    """
    against = [
        reason
        for verdict in verdicts
        if verdict.result in _DRIVERS[outcome]
        for reason in verdict.reasons
    ]
    if outcome is Outcome.APPROVE:
        if offered is not None and offered.discount_withheld:
            against.append(adverse(ReasonCode.DISCOUNT_WITHHELD))
        against += [_score_reason(line, adverse) for line in score.by_points_lost()]
    speaking_for = _helpful(score=score, offered=offered, fits_easily=fits_easily)
    return (*_distinct(against)[:MAX_ADVERSE_REASONS], *speaking_for)


def _helpful(*, score: Score, offered: Price | None, fits_easily: bool) -> tuple[Reason, ...]:
    reasons = []
    if offered is not None and offered.discount:
        reasons.append(helpful(ReasonCode.DISCOUNT_FOR_GRADE, discount=offered.discount))
    if fits_easily:
        reasons.append(helpful(ReasonCode.AFFORDABLE_WITH_ROOM))
    reasons += [_score_reason(line, helpful) for line in score.by_points_won() if not line.lost]
    return tuple(reasons[:MAX_HELPFUL_REASONS])


def _distinct(reasons: list[Reason]) -> list[Reason]:
    seen: dict[ReasonCode, Reason] = {}
    for reason in reasons:
        seen.setdefault(reason.code, reason)
    return list(seen.values())


def _lines(capacity: Capacity | None, installment: Money | None, case: Case) -> tuple[Line, ...]:
    """Return the explanation of affordability, ending with the request's installment."""
    if capacity is None:
        return ()
    if installment is None:
        return capacity.lines
    request = case.request
    rate = percent_text(case.product.list_rate)
    formula = f"{request.amount} · {rate} · {request.installment_count}"
    return (
        *capacity.lines,
        Line(code=LineCode.INSTALLMENT, amount=installment, formula=formula),
    )


# What another amount or term could change.
_CHANGEABLE = {
    Rule.AFFORDABILITY,
    Rule.STRESS,
    Rule.LIMIT,
    Rule.SCORE,
    Rule.INCOME_EVIDENCE,
    Rule.PRICE,
}


def _counterfactual(
    subject: _Subject, request: LoanRequest, decision: Decision
) -> Counterfactual | None:
    """Return a smaller amount and a longer term that would each be approved in full, or None.

    Each is decided anew, so what it promises is true.
    """
    stops = {Result.DECLINE, Result.REFER, Result.UNKNOWN, Result.LIMITS}
    stopping = {each.rule for each in decision.verdicts if each.result in stops}
    if not stopping or not stopping <= _CHANGEABLE:
        return None
    amount = _first_approved(subject, _smaller_amounts(subject, request, decision))
    longer = _first_approved(subject, _longer_terms(subject, request))
    if amount is None and longer is None:
        return None
    return Counterfactual(
        amount=None if amount is None else amount.amount,
        installment_count=None if longer is None else longer.installment_count,
    )


def _first_approved(subject: _Subject, requests: Iterator[LoanRequest]) -> LoanRequest | None:
    for request in requests:
        if subject.decide(request).approved_amount == request.amount:
            return request
    return None


def _smaller_amounts(
    subject: _Subject, request: LoanRequest, decision: Decision
) -> Iterator[LoanRequest]:
    least = subject.policy.product(request.product_code).amount_min
    unevidenced = subject.policy.thresholds.unevidenced_amount_max
    candidates = {decision.limit, min(decision.limit, unevidenced)}
    for amount in sorted(candidates, reverse=True):
        if least <= amount < request.amount:
            yield replace(request, amount=amount)


def _longer_terms(subject: _Subject, request: LoanRequest) -> Iterator[LoanRequest]:
    terms = subject.policy.product(request.product_code).terms
    longer = [term for term in terms if term > request.installment_count]
    for term in longer[:MAX_TERMS_TRIED]:
        yield replace(request, installment_count=term)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _price_json(offered: Price | None) -> dict[str, object] | None:
    if offered is None:
        return None
    return {
        "annual_rate": str(offered.annual_rate),
        "list_rate": str(offered.list_rate),
        "floor_rate": str(offered.floor_rate),
        "discount": str(offered.discount),
        "discount_withheld": offered.discount_withheld,
    }
