"""The public pages: home, calculator, lessons, quizzes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from education.engine.calculator import Estimate, estimate_flat_fee, estimate_loan
from education.forms import CalculatorForm, FlatRateForm, QuizForm, calculator_start
from education.models import Widget
from education.selectors import (
    CalculatorProduct,
    LessonPage,
    calculator_product,
    lesson_cards,
    lesson_language,
    lesson_page,
)
from education.services import UnableToGradeQuizError, take_quiz
from loans.engine.terms import Method
from zhixin.shared import clock
from zhixin.shared.actor import Actor
from zhixin.shared.charts import draw_split
from zhixin.shared.permissions import public

CALCULATOR_FIELDS = ("amount", "months", "method")
METHOD_HINTS = {
    Method.EQUAL_INSTALLMENT.value: gettext_lazy("Easiest to plan; costs a little more in all."),
    Method.EQUAL_PRINCIPAL.value: gettext_lazy("Starts higher, falls monthly, costs less in all."),
}


# --- Home and calculator ------------------------------------------------------------------


@public("the front page: what Zhixin is, and what a loan costs")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the promise, the calculator, three facts, the lessons and the ways on."""
    return render(
        request,
        "education/home.html",
        {
            **_calculator_context(request),
            "lessons": lesson_cards(
                language=lesson_language(get_language()), user_id=request.user.pk
            ),
        },
    )


@public("anybody may work out what a loan costs; nothing is stored")
@require_GET
def calculator(request: HttpRequest) -> HttpResponse:
    """Show the calculator: a page of its own, or its result for a page that shows the form."""
    context = _calculator_context(request)
    if not _is_fragment(request):
        return render(request, "education/calculator.html", context)
    form = context["form"]
    context["refresh_fields"] = bool(form.errors) or "marked" in request.GET
    response = render(request, "education/partials/_calculator_reply.html", context)
    here = urlsplit(request.headers.get("HX-Current-URL", "")).path
    if here == reverse("education:calculator"):
        typed = {name: request.GET.get(name, "") for name in CALCULATOR_FIELDS}
        response["HX-Replace-Url"] = f"{here}?{urlencode(typed)}"
    return response


def _calculator_context(request: HttpRequest) -> dict[str, Any]:
    """Return the form and, when what was typed makes sense, the estimate."""
    today = clock.local_today()
    product = calculator_product(on=today)
    typed = request.GET if any(name in request.GET for name in CALCULATOR_FIELDS) else None
    start = calculator_start(product)
    data = None if typed is None else {name: typed.get(name, start[name]) for name in start}
    form = CalculatorForm(data, product=product)
    estimate = _estimate(form, product) if form.is_valid() else None
    return {
        "form": form,
        "product": product,
        "method_hints": METHOD_HINTS,
        "estimate": estimate,
        "split": draw_split(main=estimate.principal, rest=estimate.cost) if estimate else None,
    }


def _estimate(form: CalculatorForm, product: CalculatorProduct) -> Estimate:
    """Return what the loan of a valid form costs, if it began today."""
    return estimate_loan(
        offer=product.offer,
        amount=form.cleaned_data["amount"],
        months=form.cleaned_data["months"],
        method=Method(form.cleaned_data["method"]),
        start=clock.local_today(),
    )


# --- Lessons ------------------------------------------------------------------------------


@public("lessons are for everybody")
@require_GET
def lessons(request: HttpRequest) -> HttpResponse:
    """List the lessons."""
    cards = lesson_cards(language=lesson_language(get_language()), user_id=request.user.pk)
    return render(request, "education/lessons.html", {"lessons": cards})


@public("lessons are for everybody")
@require_GET
def lesson(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a lesson with its thing to play with and its questions."""
    page = _page_or_404(request, slug)
    form = QuizForm(None, questions=page.questions)
    return render(request, "education/lesson.html", _lesson_context(request, page, form))


@public("a quiz is part of a lesson; it stores an attempt and nothing about visitors")
@require_http_methods(["GET", "POST"])
def quiz(request: HttpRequest, slug: str) -> HttpResponse:
    """Grade the answers and show why; a visitor who comes by GET is led to the questions."""
    page = _page_or_404(request, slug)
    if request.method != "POST":
        return redirect(f"{reverse('education:lesson', args=[slug])}#quiz")
    form = QuizForm(request.POST, questions=page.questions)
    if not form.is_valid():
        return _quiz_again(request, page, form)
    try:
        result = take_quiz(
            lesson=page.lesson,
            language=page.text.language,
            chosen=form.chosen(),
            actor=Actor(user_id=request.user.pk, label="reader"),
            at=clock.now(),
        )
    except UnableToGradeQuizError as error:
        form.add_error(None, str(error))
        return _quiz_again(request, page, form)
    answers = [
        {
            "question": question,
            "chosen": question.options[index],
            "correct": is_correct,
        }
        for question, index, is_correct in zip(
            result.questions, result.chosen, result.grade.marks, strict=True
        )
    ]
    template = "partials/_quiz_result.html" if _is_fragment(request) else "quiz_result.html"
    return render(
        request,
        f"education/{template}",
        {"page": page, "grade": result.grade, "answers": answers},
    )


def _quiz_again(request: HttpRequest, page: LessonPage, form: QuizForm) -> HttpResponse:
    """Show the questions with what is missing; what was chosen stays."""
    context = _lesson_context(request, page, form)
    template = "partials/_quiz.html" if _is_fragment(request) else "lesson.html"
    return render(request, f"education/{template}", context, status=422)


def _page_or_404(request: HttpRequest, slug: str) -> LessonPage:
    """Return the lesson's page; drafts are found by editors only, as a preview."""
    page = lesson_page(
        slug=slug,
        language=lesson_language(get_language()),
        with_drafts=request.user.has_perm("education.view_lesson"),
    )
    if page is None:
        raise Http404
    return page


def _lesson_context(request: HttpRequest, page: LessonPage, form: QuizForm) -> dict[str, Any]:
    """Return what the lesson's template shows."""
    context: dict[str, Any] = {
        "page": page,
        "quiz_form": form,
        "wanted_language": lesson_language(get_language()),
    }
    if page.lesson.widget == Widget.CALCULATOR:
        context.update(_calculator_context(request))
    elif page.lesson.widget == Widget.FLAT_RATE:
        context.update(_flat_rate_context(request))
    return context


# --- Things to play with ------------------------------------------------------------------


@public("a lesson's thing to play with; nothing is stored")
@require_GET
def flat_rate(request: HttpRequest) -> HttpResponse:
    """Show what a flat monthly fee really costs a year."""
    context = _flat_rate_context(request)
    if _is_fragment(request):
        return render(request, "education/partials/_flat_rate_result.html", context)
    return render(request, "education/flat_rate.html", context)


def _flat_rate_context(request: HttpRequest) -> dict[str, Any]:
    """Return the converter's form and, when what was typed makes sense, its answer."""
    typed = request.GET if "percent" in request.GET else None
    form = FlatRateForm(typed)
    context: dict[str, Any] = {"flat_form": form, "flat": None}
    if form.is_valid():
        monthly_rate = form.cleaned_data["percent"] / 100
        product = calculator_product(on=clock.local_today())
        context["looks_like"] = monthly_rate * 12
        context["flat"] = estimate_flat_fee(
            amount=product.amount_start,
            monthly_rate=monthly_rate,
            months=form.cleaned_data["months"],
            start=clock.local_today(),
            rounding=product.offer.rounding,
        )
    return context


def _is_fragment(request: HttpRequest) -> bool:
    """Return whether HTMX asks for a part of a page that is already shown."""
    return bool(request.htmx) and not request.htmx.boosted  # type: ignore[attr-defined]  # Set by the middleware of HTMX.
