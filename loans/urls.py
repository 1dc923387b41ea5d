"""Where the pages of lending stand."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from loans.views import (
    apply,
    autopay,
    bank,
    cashier,
    decision,
    disputes,
    documents,
    my_loans,
    payouts,
    repay,
    signing,
)

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
    path(
        "loans/<uuid:public_id>/installments/<int:number>/dispute/withdraw/",
        disputes.withdraw,
        name="withdraw_dispute",
    ),
    path("loans/<uuid:public_id>/payout/", payouts.send_payout_again, name="send_payout_again"),
    path("loans/<uuid:public_id>/payout/card/", payouts.payout_card, name="payout_card"),
    path("loans/<uuid:public_id>/autopay/", autopay.show, name="autopay"),
    path("loans/<uuid:public_id>/autopay/on/", autopay.switch_on, name="autopay_on"),
    path("loans/<uuid:public_id>/autopay/off/", autopay.switch_off, name="autopay_off"),
    path("payments/<uuid:public_id>/", repay.payment, name="payment"),
    path("payments/alipay/return/", cashier.cashier_return, name="cashier_return"),
    path("payments/<uuid:public_id>/alipay/", cashier.cashier, name="cashier"),
    path("bank/notices", bank.notice, name="bank_notices"),
]

# Documents: pages, PDFs, and the public check of a certificate.
urlpatterns += [
    path("loans/<uuid:public_id>/schedule/", documents.schedule, name="schedule"),
    path("loans/<uuid:public_id>/schedule.pdf", documents.schedule_pdf, name="schedule_pdf"),
    path("loans/<uuid:public_id>/statement/", documents.statement, name="statement"),
    path("loans/<uuid:public_id>/statement.pdf", documents.statement_pdf, name="statement_pdf"),
    path("loans/<uuid:public_id>/certificate/", documents.certificate, name="certificate"),
    path(
        "loans/<uuid:public_id>/certificate.pdf", documents.certificate_pdf, name="certificate_pdf"
    ),
    path(
        "agreements/<uuid:public_id>/agreement.pdf", documents.agreement_pdf, name="agreement_pdf"
    ),
    path(
        "agreements/<uuid:public_id>/cost-sheet.pdf",
        documents.cost_sheet_pdf,
        name="cost_sheet_pdf",
    ),
    path(
        "staff/loans/<uuid:public_id>/<slug:kind>.pdf",
        documents.staff_document,
        name="staff_document",
    ),
    path("verify/", documents.verify_certificate, name="verify_certificate"),
]
