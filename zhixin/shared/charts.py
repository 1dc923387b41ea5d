"""Charts as plain numbers: where each bar stands and how tall it is.

Pure: money in, whole SVG units out, no markup and no language. The templates in
`templates/components/` draw the result with SVG attributes only, because the content security
policy forbids style attributes, and always print the sentence and the data table beside it.
Lengths are rounded toward zero for drawing; the amounts beside them are never rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from zhixin.shared.money import Money, total

CHART_HEIGHT = 1000
BAR_WIDTH = 100
BAR_GAP = 24
LONG_CHART_GAP = 12
LONG_CHART_COUNT = 24
FULL_RING = 1000


class ImpossibleChartError(ValueError):
    """The amounts cannot be drawn: one is negative, or a part is more than the whole."""


@dataclass(frozen=True, slots=True)
class InstallmentBar:
    """What one installment is made of, as the caller knows it."""

    number: int
    principal: Money
    interest: Money
    due_date: date | None = None
    paid: bool = False

    @property
    def total(self) -> Money:
        """Return principal and interest together."""
        return self.principal + self.interest


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """One bar in SVG units: principal stands below, interest on top; y counts from above."""

    bar: InstallmentBar
    x: int
    width: int
    principal_y: int
    principal_height: int
    interest_y: int
    interest_height: int


@dataclass(frozen=True, slots=True)
class StackedBarChart:
    """Bars of principal and interest per installment, with the totals that its sentence needs."""

    bars: tuple[DrawnBar, ...]
    width: int
    height: int
    highest: Money
    principal_total: Money
    interest_total: Money

    @property
    def grand_total(self) -> Money:
        """Return everything that is repaid."""
        return self.principal_total + self.interest_total

    @property
    def first(self) -> InstallmentBar | None:
        """Return the first installment, or None when there is none."""
        return self.bars[0].bar if self.bars else None

    @property
    def last(self) -> InstallmentBar | None:
        """Return the last installment when it is not also the first."""
        return self.bars[-1].bar if len(self.bars) > 1 else None


@dataclass(frozen=True, slots=True)
class SplitBar:
    """One lying bar in two parts, such as principal and cost, in thousandths of its length."""

    main: Money
    rest: Money
    main_length: int
    rest_length: int

    @property
    def total(self) -> Money:
        """Return both parts together."""
        return self.main + self.rest


@dataclass(frozen=True, slots=True)
class ProgressRing:
    """How much of a whole is done, in thousandths of the ring and as whole percent."""

    done: Money
    whole: Money
    length: int

    @property
    def percent(self) -> int:
        """Return whole percent, rounded down: 100 only when everything is done."""
        return self.length // 10

    @property
    def left(self) -> Money:
        """Return what is not done yet."""
        return self.whole - self.done

    @property
    def dashes(self) -> str:
        """Return the stroke-dasharray on a circle of pathLength 1000."""
        return f"{self.length} {FULL_RING}"


def draw_installments(installments: Sequence[InstallmentBar]) -> StackedBarChart:
    """Return the chart of `installments`, the highest one filling the height.

    An amount that is not zero is drawn at least one unit high. Raises ImpossibleChartError when
    an amount is negative.
    """
    if any(bar.principal.cents < 0 or bar.interest.cents < 0 for bar in installments):
        raise ImpossibleChartError("An installment with a negative part cannot be drawn.")
    highest = max((bar.total for bar in installments), default=Money.zero())
    gap = LONG_CHART_GAP if len(installments) > LONG_CHART_COUNT else BAR_GAP
    step = BAR_WIDTH + gap
    return StackedBarChart(
        bars=tuple(
            _draw_bar(bar, x=index * step, highest=highest)
            for index, bar in enumerate(installments)
        ),
        width=max(len(installments) * step - gap, BAR_WIDTH),
        height=CHART_HEIGHT,
        highest=highest,
        principal_total=total(bar.principal for bar in installments),
        interest_total=total(bar.interest for bar in installments),
    )


def draw_split(*, main: Money, rest: Money) -> SplitBar:
    """Return the lying bar of `main` and `rest`; both parts show when neither is zero.

    Raises ImpossibleChartError when a part is negative.
    """
    if main.cents < 0 or rest.cents < 0:
        raise ImpossibleChartError("A negative part cannot be drawn.")
    rest_length = _share(rest, of=main + rest, length=FULL_RING)
    main_length = FULL_RING - rest_length if main or rest else 0
    return SplitBar(main=main, rest=rest, main_length=main_length, rest_length=rest_length)


def draw_progress(*, done: Money, whole: Money) -> ProgressRing:
    """Return the ring of `done` out of `whole`; a whole of 0.00 is entirely done.

    Raises ImpossibleChartError when `done` is negative or more than `whole`.
    """
    if done.cents < 0 or done > whole:
        raise ImpossibleChartError("What is done must lie between nothing and the whole.")
    length = _share(done, of=whole, length=FULL_RING) if whole else FULL_RING
    return ProgressRing(done=done, whole=whole, length=length)


def _draw_bar(bar: InstallmentBar, *, x: int, highest: Money) -> DrawnBar:
    """Return `bar` standing at `x`; its parts add to its share of the highest bar."""
    height = _share(bar.total, of=highest, length=CHART_HEIGHT)
    interest_height = min(_share(bar.interest, of=highest, length=CHART_HEIGHT), height)
    principal_height = height - interest_height
    return DrawnBar(
        bar=bar,
        x=x,
        width=BAR_WIDTH,
        principal_y=CHART_HEIGHT - principal_height,
        principal_height=principal_height,
        interest_y=CHART_HEIGHT - height,
        interest_height=interest_height,
    )


def _share(part: Money, *, of: Money, length: int) -> int:
    """Return the part of `length` that stands for `part`, rounded down, but 1 for a crumb."""
    if not part:
        return 0
    return max(part.cents * length // of.cents, 1)
