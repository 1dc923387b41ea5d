"""A points card kept as data: score, probability of default and points by feature.

score = base points + the points of one bin for each feature. With `pdo` points to double the odds
and `base_odds` good to one bad at `base_score`:

    odds = base_odds * 2 ** ((score - base_score) / pdo)        PD = 1 / (1 + odds)

which is the usual PD = 1 / (1 + exp((score - offset) / factor)), factor = pdo / ln 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from risk.engine import documents
from risk.engine.affordability import Capacity
from risk.engine.documents import DocumentError, DocumentReader
from risk.engine.facts import ApplicantFacts
from risk.engine.reasons import ReasonCode
from zhixin.shared.money import Money

FORMAT = 1
PD_PLACES = Decimal("0.000001")
RATIO_PLACES = Decimal("0.0001")

# Everything that a card may look at. Nothing else can be scored: not age, not the household, not
# where a person lives, and no protected characteristic (conduct DP-06; a test holds the list).
SCORE_FEATURES: Mapping[str, ReasonCode] = {
    "employment": ReasonCode.SCORE_EMPLOYMENT,
    "months_employed": ReasonCode.SCORE_TIME_EMPLOYED,
    "income_evidence": ReasonCode.SCORE_INCOME_EVIDENCE,
    "debt_ratio": ReasonCode.SCORE_DEBT_RATIO,
    "installment_ratio": ReasonCode.SCORE_INSTALLMENT_RATIO,
    "worst_days_past_due_12m": ReasonCode.SCORE_OWN_ARREARS,
    "loans_paid_off": ReasonCode.SCORE_LOANS_REPAID,
    "applications_30d": ReasonCode.SCORE_APPLICATIONS,
    "bureau_worst_days_past_due_24m": ReasonCode.SCORE_BUREAU_ARREARS,
    "bureau_inquiries_6m": ReasonCode.SCORE_BUREAU_INQUIRIES,
}

FeatureValue = str | Decimal | None


def score_features(
    *, facts: ApplicantFacts, capacity: Capacity | None, installment: Money | None
) -> dict[str, FeatureValue]:
    """Return the value of every scored feature; None is missing and has a bin of its own.

    Ratios are monthly amounts over the income that affordability uses, to four places.
    """
    return {
        "employment": facts.employment,
        "months_employed": _number(facts.months_employed),
        "income_evidence": _income_evidence(facts),
        "debt_ratio": None if capacity is None else _ratio(capacity.debt, capacity.income),
        "installment_ratio": (
            None
            if capacity is None or installment is None
            else _ratio(installment, capacity.income)
        ),
        "worst_days_past_due_12m": _number(facts.worst_days_past_due_12m),
        "loans_paid_off": _number(facts.loans_paid_off),
        "applications_30d": _number(facts.applications_30d),
        "bureau_worst_days_past_due_24m": _number(facts.bureau_worst_days_past_due_24m),
        "bureau_inquiries_6m": _number(facts.bureau_inquiries_6m),
    }


def _number(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _ratio(part: Money, whole: Money) -> Decimal | None:
    if whole.cents <= 0:
        return None
    return (Decimal(part.cents) / Decimal(whole.cents)).quantize(RATIO_PLACES)


def _income_evidence(facts: ApplicantFacts) -> str | None:
    if facts.evidenced_income is not None:
        return "EVIDENCED"
    return None if facts.stated_income is None else "STATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Points for values below `below` (numbers; None: the rest) or among `values` (categories)."""

    below: Decimal | None
    values: tuple[str, ...]
    points: int

    def holds(self, value: str | Decimal) -> bool:
        """Return whether `value` falls here, given that no earlier bin holds it."""
        if isinstance(value, Decimal):
            return self.below is None or value < self.below
        return value in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One line of the card."""

    name: str
    bins: tuple[Bin, ...]
    missing_points: int
    why: str

    @property
    def best_points(self) -> int:
        """Return the points of the best bin."""
        return max(each.points for each in self.bins)

    def points_for(self, value: FeatureValue) -> int:
        """Return the points for `value`; what no bin holds counts as missing."""
        if value is None:
            return self.missing_points
        return next((each.points for each in self.bins if each.holds(value)), self.missing_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePoints:
    """What one feature gave: its value, its points, and the points of the best bin."""

    feature: str
    value: FeatureValue
    points: int
    best_points: int

    @property
    def lost(self) -> int:
        """Return the points that the best bin would have given on top."""
        return max(self.best_points - self.points, 0)

    def to_json(self) -> dict[str, object]:
        """Return the line as JSON holds it."""
        return {
            "feature": self.feature,
            "value": None if self.value is None else str(self.value),
            "points": self.points,
            "best_points": self.best_points,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score, its probability of default within a year (six places), and where it came from."""

    score: int
    pd: Decimal
    base_points: int
    lines: tuple[FeaturePoints, ...]

    def by_points_lost(self) -> list[FeaturePoints]:
        """Return the features that cost points, the costliest first, then in card order."""
        return sorted((line for line in self.lines if line.lost), key=lambda line: -line.lost)

    def by_points_won(self) -> list[FeaturePoints]:
        """Return the features that added points, the most first, then in card order."""
        return sorted((line for line in self.lines if line.points > 0), key=lambda x: -x.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """A points card; read it with `from_json`."""

    code: str
    title: str
    pdo: int
    base_score: int
    base_odds: Decimal
    base_points: int
    features: tuple[Feature, ...]

    MAX_POINTS: ClassVar[int] = 2000

    @classmethod
    def from_json(cls, document: object) -> Scorecard:
        """Return the card that `document` states.

        Raises DocumentError for unknown keys or features, edges that do not increase, points that
        are not whole, and a feature without a bin for missing values.
        """
        reader = DocumentReader(document, where="scorecard")
        if reader.required("format", documents.whole) != FORMAT:
            raise DocumentError(f"scorecard.format must be {FORMAT}.")
        card = cls(
            code=reader.required("code", documents.text),
            title=reader.required("title", documents.text),
            pdo=reader.required("pdo", documents.count),
            base_score=reader.required("base_score", documents.count),
            base_odds=reader.required("base_odds", documents.fraction),
            base_points=reader.required("base_points", _points),
            features=reader.required("features", documents.items(_read_feature)),
        )
        reader.finish()
        if not card.pdo or not card.base_odds:
            raise DocumentError("scorecard: pdo and base_odds must be more than zero.")
        names = [feature.name for feature in card.features]
        if len(set(names)) != len(names):
            raise DocumentError("scorecard.features names a feature twice.")
        return card

    def probability_of_default(self, score: int) -> Decimal:
        """Return the PD that belongs to `score`, rounded half even to six places."""
        odds = self.base_odds * Decimal(2) ** (Decimal(score - self.base_score) / self.pdo)
        return (1 / (1 + odds)).quantize(PD_PLACES)

    def evaluate(self, values: Mapping[str, FeatureValue]) -> Score:
        """Return the score of `values` (one entry for each feature; see `score_features`)."""
        lines = tuple(
            FeaturePoints(
                feature=feature.name,
                value=values[feature.name],
                points=feature.points_for(values[feature.name]),
                best_points=feature.best_points,
            )
            for feature in self.features
        )
        score = self.base_points + sum(line.points for line in lines)
        return Score(
            score=score,
            pd=self.probability_of_default(score),
            base_points=self.base_points,
            lines=lines,
        )


def _points(value: object, where: str) -> int:
    points = documents.whole(value, where)
    if abs(points) > Scorecard.MAX_POINTS:
        raise DocumentError(f"{where} must lie within {Scorecard.MAX_POINTS} points.")
    return points


def _read_feature(document: object, where: str) -> Feature:
    reader = DocumentReader(document, where=where)
    name = reader.required("feature", documents.text)
    if name not in SCORE_FEATURES:
        raise DocumentError(f"{where}: {name!r} is not among the features that may be scored.")
    feature = Feature(
        name=name,
        bins=reader.required("bins", documents.items(_read_bin)),
        missing_points=reader.required("missing_points", _points),
        why=reader.required("why", documents.text),
    )
    reader.finish()
    _check_bins(feature.bins, where)
    return feature


def _read_bin(document: object, where: str) -> Bin:
    reader = DocumentReader(document, where=where)
    result = Bin(
        below=reader.optional("below", documents.decimal),
        values=reader.optional("values", documents.items(documents.text)) or (),
        points=reader.required("points", _points),
    )
    reader.finish()
    return result


def _check_bins(bins: tuple[Bin, ...], where: str) -> None:
    if not bins:
        raise DocumentError(f"{where} has no bins.")
    if all(each.values for each in bins):
        words = [word for each in bins for word in each.values]
        if len(set(words)) != len(words) or any(each.below is not None for each in bins):
            raise DocumentError(f"{where}: a category belongs to exactly one bin.")
        return
    edges = [each.below for each in bins[:-1]]
    if any(each.values for each in bins) or bins[-1].below is not None:
        raise DocumentError(f"{where}: number bins end with one that has no upper edge.")
    known = [edge for edge in edges if edge is not None]
    if len(known) != len(edges) or known != sorted(set(known)):
        raise DocumentError(f"{where}: the edges of the bins must increase.")
