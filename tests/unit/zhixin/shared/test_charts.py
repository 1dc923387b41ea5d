"""The numbers behind the charts: they fill the frame, re-add, and refuse what cannot be drawn."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhixin.shared.charts import (
    BAR_GAP,
    BAR_WIDTH,
    CHART_HEIGHT,
    LONG_CHART_COUNT,
    LONG_CHART_GAP,
    DrawnBar,
    ImpossibleChartError,
    InstallmentBar,
    ProgressRing,
    SplitBar,
    draw_installments,
    draw_progress,
    draw_split,
)
from zhixin.shared.money import Money


def bar(number: int, principal: str, interest: str) -> InstallmentBar:
    """Return an installment of the two amounts."""
    return InstallmentBar(
        number=number, principal=Money.parse(principal), interest=Money.parse(interest)
    )


def test_the_highest_installment_fills_the_height_and_parts_stand_on_each_other() -> None:
    first, second = bar(1, "800.00", "200.00"), bar(2, "400.00", "100.00")

    chart = draw_installments([first, second])

    assert chart.bars == (
        DrawnBar(
            bar=first,
            x=0,
            width=BAR_WIDTH,
            principal_y=200,
            principal_height=800,
            interest_y=0,
            interest_height=200,
        ),
        DrawnBar(
            bar=second,
            x=BAR_WIDTH + BAR_GAP,
            width=BAR_WIDTH,
            principal_y=600,
            principal_height=400,
            interest_y=500,
            interest_height=100,
        ),
    )
    assert (chart.width, chart.height) == (2 * BAR_WIDTH + BAR_GAP, CHART_HEIGHT)


def test_the_totals_of_the_chart_are_exact() -> None:
    chart = draw_installments([bar(1, "33.34", "0.55"), bar(2, "33.33", "0.37")])

    assert chart.principal_total == Money.parse("66.67")
    assert chart.interest_total == Money.parse("0.92")
    assert chart.grand_total == Money.parse("67.59")
    assert chart.highest == Money.parse("33.89")


def test_the_axis_names_the_first_and_the_last_installment() -> None:
    bars = [bar(number, "10.00", "1.00") for number in (1, 2, 3)]

    chart = draw_installments(bars)

    assert chart.first == bars[0]
    assert chart.last == bars[2]
    assert draw_installments(bars[:1]).last is None


def test_a_chart_without_installments_is_empty_and_not_an_error() -> None:
    chart = draw_installments([])

    assert chart.bars == ()
    assert (chart.width, chart.first, chart.last) == (BAR_WIDTH, None, None)
    assert chart.grand_total == Money.zero()


def test_a_crumb_of_interest_is_still_seen() -> None:
    (drawn,) = draw_installments([bar(1, "10000.00", "0.01")]).bars

    assert (drawn.interest_height, drawn.principal_height) == (1, CHART_HEIGHT - 1)


def test_long_charts_stand_closer_together() -> None:
    bars = [bar(number, "10.00", "1.00") for number in range(1, LONG_CHART_COUNT + 2)]

    assert draw_installments(bars).bars[1].x == BAR_WIDTH + LONG_CHART_GAP
    assert draw_installments(bars[:-1]).bars[1].x == BAR_WIDTH + BAR_GAP


def test_a_bar_keeps_what_the_caller_knows_about_it() -> None:
    known = InstallmentBar(
        number=7,
        principal=Money.parse("1.00"),
        interest=Money.zero(),
        due_date=date(2026, 12, 15),
        paid=True,
    )

    assert draw_installments([known]).bars[0].bar == known
    assert known.total == Money.parse("1.00")


@pytest.mark.parametrize(("principal", "interest"), [("-0.01", "1.00"), ("1.00", "-0.01")])
def test_a_negative_part_cannot_be_drawn(principal: str, interest: str) -> None:
    with pytest.raises(ImpossibleChartError):
        draw_installments([bar(1, principal, interest)])


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_every_bar_stays_in_the_frame_and_stands_on_the_ground(
    parts: list[tuple[int, int]],
) -> None:
    chart = draw_installments(
        [
            InstallmentBar(number=number, principal=Money(principal), interest=Money(interest))
            for number, (principal, interest) in enumerate(parts, start=1)
        ]
    )

    for drawn in chart.bars:
        assert 0 <= drawn.interest_y <= drawn.principal_y <= CHART_HEIGHT
        assert drawn.interest_y + drawn.interest_height == drawn.principal_y
        assert drawn.principal_y + drawn.principal_height == CHART_HEIGHT
        assert drawn.x + drawn.width <= chart.width


def test_a_split_bar_shows_both_parts_in_proportion() -> None:
    principal, cost = Money.parse("10000.00"), Money.parse("661.85")

    split = draw_split(main=principal, rest=cost)

    # 661.85 / 10,661.85 = 62.07 thousandths.
    assert split == SplitBar(main=principal, rest=cost, main_length=938, rest_length=62)
    assert split.total == Money.parse("10661.85")


def test_a_split_bar_of_nothing_has_no_length() -> None:
    split = draw_split(main=Money.zero(), rest=Money.zero())

    assert (split.main_length, split.rest_length) == (0, 0)


def test_a_negative_share_cannot_be_split() -> None:
    with pytest.raises(ImpossibleChartError):
        draw_split(main=Money.parse("1.00"), rest=Money.parse("-0.01"))


@pytest.mark.parametrize(
    ("done", "whole", "length", "percent"),
    [
        ("0.00", "100.00", 0, 0),
        ("0.01", "10000.00", 1, 0),
        ("33.33", "100.00", 333, 33),
        ("9999.99", "10000.00", 999, 99),
        ("10000.00", "10000.00", 1000, 100),
        ("0.00", "0.00", 1000, 100),
    ],
)
def test_progress_says_100_percent_only_when_everything_is_done(
    done: str, whole: str, length: int, percent: int
) -> None:
    ring = draw_progress(done=Money.parse(done), whole=Money.parse(whole))

    assert ring == ProgressRing(done=Money.parse(done), whole=Money.parse(whole), length=length)
    assert ring.percent == percent
    assert ring.dashes == f"{length} 1000"
    assert ring.left == Money.parse(whole) - Money.parse(done)


@pytest.mark.parametrize(("done", "whole"), [("100.01", "100.00"), ("-0.01", "100.00")])
def test_progress_beyond_the_whole_or_below_nothing_is_refused(done: str, whole: str) -> None:
    with pytest.raises(ImpossibleChartError):
        draw_progress(done=Money.parse(done), whole=Money.parse(whole))
