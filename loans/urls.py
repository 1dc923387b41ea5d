"""Where the pages of lending stand."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from loans.views import apply, bank, decision, my_loans, repay, signing

app_name = "loans"

# Origination: apply, decide, sign.
urlpatterns: list[URLPattern | URLResolver] = [
    path("apply/", apply.start, name="apply"),
    path("apply/cost/", apply.cost, name="apply_cost"),
    path("apply/<slug:step>/", apply.apply_step, name="apply_step"),
    path("applications/<uuid:public_id>/", decision.decision, name="decision"),
    path("applications/<uuid:public_id>/review/", decision.review, name="review"),
    path("applications/<uuid:public_id>/amount/", decision.take, name="take"),
    path("applications/<uuid:public_id>/withdraw/", decision.withdraw, name="withdraw"),
    path("applications/<uuid:public_id>/cost-sheet/", signing.cost_sheet, name="cost_sheet"),
    path("applications/<uuid:public_id>/sign/", signing.sign, name="sign"),
    path("agreements/<uuid:public_id>/", signing.agreement, name="agreement"),
    path(
        "agreements/<uuid:public_id>/document/",
        signing.agreement_document,
        name="agreement_document",
    ),
]

# Servicing: what is due, paying it, the bank's word.
urlpatterns += [
    path("loans/", my_loans.my_loans, name="my_loans"),
    path("loans/<uuid:public_id>/", my_loans.loan, name="loan"),
    path("loans/<uuid:public_id>/pay/", repay.repay, name="repay"),
    path("payments/<uuid:public_id>/", repay.payment, name="payment"),
    path("bank/notices", bank.notice, name="bank_notices"),
]
