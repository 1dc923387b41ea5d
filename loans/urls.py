"""Where the pages of lending stand."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from loans.views import bank, my_loans, repay

app_name = "loans"

# Origination: apply, decide, sign.
urlpatterns: list[URLPattern | URLResolver] = []

# Servicing: what is due, paying it, the bank's word.
urlpatterns += [
    path("loans/", my_loans.my_loans, name="my_loans"),
    path("loans/<uuid:public_id>/", my_loans.loan, name="loan"),
    path("loans/<uuid:public_id>/pay/", repay.repay, name="repay"),
    path("payments/<uuid:public_id>/", repay.payment, name="payment"),
    path("bank/notice/", bank.notice, name="bank_notice"),
]
