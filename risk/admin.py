"""Policies, cards and assessments in the admin: everything is shown, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.access import AboutPeople
from accounts.admin import RecordsReads
from risk.engine.decision import Outcome
from risk.engine.scorecard import Bin
from risk.models import OUTCOME_LABELS, Assessment, PolicyVersion, ScorecardVersion
from risk.selectors.assessments import AssessmentSheet, assessment_sheet
from risk.selectors.policies import policy_of, scorecard_of
from risk.selectors.reasons import EMPLOYMENT_LABELS, FACT_LABELS, FEATURE_LABELS, Text
from zhixin.shared.admin import ReadOnlyModelAdmin
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text
from zhixin.shared.templatetags.zhixin import money

Row = tuple[object, ...]


def _table(headers: Iterable[Text], rows: Iterable[Row]) -> SafeString:
    table = {"headers": [str(header) for header in headers], "rows": [list(row) for row in rows]}
    return render_to_string("risk/admin/table.html", {"table": table})


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyModelAdmin):
    """A version of the rules with each threshold and its source."""

    list_display = ("code", "jurisdiction", "effective_from", "loaded_at")
    fields = (
        "code",
        "jurisdiction",
        "effective_from",
        "sha256",
        "loaded_at",
        "actor_label",
        "thresholds",
        "products",
        "grades",
    )
    readonly_fields = ("thresholds", "products", "grades")

    @admin.display(description=_("thresholds"))
    def thresholds(self, version: PolicyVersion) -> SafeString:
        """Return every number with where it comes from."""
        rows = [
            (name, entry["value"], entry["source"])
            for name, entry in version.document["thresholds"].items()
        ]
        return _table((_("Threshold"), _("Value"), _("Source")), sorted(rows))

    @admin.display(description=_("products"))
    def products(self, version: PolicyVersion) -> SafeString:
        """Return list rates and amounts."""
        rows = [
            (code, percent_text(rule.list_rate), money(rule.amount_min), money(rule.amount_max))
            for code, rule in policy_of(version.sha256).products.items()
        ]
        return _table((_("Product"), _("List rate"), _("From"), _("Up to")), rows)

    @admin.display(description=_("grades"))
    def grades(self, version: PolicyVersion) -> SafeString:
        """Return the published grades."""
        rows = [
            (
                grade.code,
                grade.score_min,
                percent_text(grade.discount),
                grade.income_multiple,
                gettext("the system") if grade.automatic else gettext("a person"),
            )
            for grade in policy_of(version.sha256).grades
        ]
        headers = (_("Grade"), _("From score"), _("Discount"), _("× income"), _("Decided by"))
        return _table(headers, rows)


@admin.register(ScorecardVersion)
class ScorecardVersionAdmin(ReadOnlyModelAdmin):
    """A points card, line by line."""

    list_display = ("code", "loaded_at")
    fields = ("code", "sha256", "loaded_at", "actor_label", "card")
    readonly_fields = ("card",)

    @admin.display(description=_("card"))
    def card(self, version: ScorecardVersion) -> SafeString:
        """Return each feature with its bins and the reasoning."""
        rows = []
        for feature in scorecard_of(version.sha256).features:
            bins = [f"{_bin_text(each)}: {each.points:+d}" for each in feature.bins]
            rows.append(
                (
                    FEATURE_LABELS[feature.name],
                    "; ".join(bins),
                    f"{feature.missing_points:+d}",
                    feature.why,
                )
            )
        return _table((_("Feature"), _("Points"), _("Missing"), _("Why")), rows)


def _bin_text(each: Bin) -> str:
    """Return which values fall into a bin; the last one holds the rest."""
    if each.values:
        return ", ".join(_value_text(value) for value in each.values)
    return "…" if each.below is None else f"< {each.below}"


@admin.register(Assessment)
class AssessmentAdmin(RecordsReads, ReadOnlyModelAdmin):
    """A decision with its reasons, rules, points and sums."""

    reach = AboutPeople("subject")
    subject_path = "subject"
    read_purpose = gettext_noop("Looking at a decision")
    read_fields = ("work", "income and costs", "own history", "decision")
    list_display = (
        "decided_at",
        "applicant",
        "shown_outcome",
        "score",
        "grade",
        "shown_limit",
        "shown_rate",
        "policy",
    )
    list_filter = ("outcome", "grade", "policy")
    list_select_related = ("subject", "policy")
    ordering = ("-decided_at", "-pk")
    search_fields = ("public_id",)
    fields = (
        "public_id",
        "applicant",
        "outcome",
        "shown_limit",
        "shown_approved",
        "shown_rate",
        "decision_date",
        "decided_at",
        "actor_label",
        "policy",
        "scorecard",
        "reasons",
        "sums",
        "points",
        "rules",
        "known_facts",
    )
    readonly_fields = (
        "public_id",
        "applicant",
        "shown_limit",
        "shown_approved",
        "shown_rate",
        "reasons",
        "sums",
        "points",
        "rules",
        "known_facts",
    )

    @admin.display(description=_("applicant"))
    def applicant(self, assessment: Assessment) -> str:
        """Return the applicant, masked."""
        return str(assessment.subject)

    @display(
        description=_("outcome"),
        label={
            Outcome.APPROVE.value: "success",
            Outcome.REFER.value: "warning",
            Outcome.DECLINE.value: "danger",
        },
    )
    def shown_outcome(self, assessment: Assessment) -> tuple[str, str]:
        """Return the outcome and its words."""
        return assessment.outcome, str(OUTCOME_LABELS[Outcome(assessment.outcome)])

    @admin.display(description=_("limit"))
    def shown_limit(self, assessment: Assessment) -> str:
        """Return the limit as money."""
        return money(assessment.limit)

    @admin.display(description=_("approved amount"))
    def shown_approved(self, assessment: Assessment) -> str:
        """Return what was approved of what was asked for."""
        asked = money(Money.parse(assessment.request["amount"]))
        if assessment.approved_amount is None:
            return f"– / {asked}"
        return f"{money(assessment.approved_amount)} / {asked}"

    @admin.display(description=_("rate a year"))
    def shown_rate(self, assessment: Assessment) -> str:
        """Return the rate as percent."""
        return "–" if assessment.annual_rate is None else percent_text(assessment.annual_rate)

    @admin.display(description=_("reasons"))
    def reasons(self, assessment: Assessment) -> SafeString:
        """Return the sentences that the applicant reads."""
        return render_to_string(
            "risk/admin/reasons.html", {"explanation": _sheet(assessment).explanation}
        )

    @admin.display(description=_("affordability"))
    def sums(self, assessment: Assessment) -> SafeString:
        """Return the month's sum, line by line."""
        rows = [
            (row.label, money(row.amount), row.formula) for row in _sheet(assessment).amount_rows
        ]
        return _table((_("Line"), _("A month"), _("Sum")), rows)

    @admin.display(description=_("points"))
    def points(self, assessment: Assessment) -> SafeString:
        """Return the points by feature, and the probability of default."""
        sheet = _sheet(assessment)
        base: list[Row] = [(_("Base"), "", sheet.score_base, "")]
        rows: list[Row] = [
            (row.label, _value_text(row.value), f"{row.points:+d}", f"{row.best_points:+d}")
            for row in sheet.score_rows
        ]
        total: list[Row] = [
            (
                _("Score"),
                gettext("probability of default %(pd)s") % {"pd": percent_text(sheet.pd)},
                assessment.score,
                "",
            )
        ]
        headers = (_("Feature"), _("Value"), _("Points"), _("Best bin"))
        return _table(headers, base + rows + total)

    @admin.display(description=_("rules"))
    def rules(self, assessment: Assessment) -> SafeString:
        """Return every rule's verdict."""
        rows = [
            (row.label, row.result_label, " ".join(row.sentences))
            for row in _sheet(assessment).rule_rows
        ]
        return _table((_("Rule"), _("Verdict"), _("Why")), rows)

    @admin.display(description=_("facts"))
    def known_facts(self, assessment: Assessment) -> SafeString:
        """Return the facts as they were known."""
        rows = [
            (capfirst(str(FACT_LABELS.get(key, key))), _fact_text(value))
            for key, value in assessment.facts.items()
        ]
        return _table((_("Fact"), _("Value")), rows)


def _sheet(assessment: Assessment) -> AssessmentSheet:
    return assessment_sheet(assessment)


_EVIDENCE_LABELS = {"STATED": _("stated"), "EVIDENCED": _("document checked")}


def _value_text(value: str | None) -> str:
    """Return a feature's value; known codes in words."""
    if value is None:
        return gettext("not known")
    return str(EMPLOYMENT_LABELS.get(value) or _EVIDENCE_LABELS.get(value, value))


def _fact_text(value: object) -> str:
    if value is None:
        return gettext("not known")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, str):
        return str(EMPLOYMENT_LABELS.get(value, value))
    return json.dumps(value, ensure_ascii=False)
