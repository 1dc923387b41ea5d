"""The JSON API, version 1: the same services and selectors as the pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from loans.api import LoanDetail, Loans, PaymentDetail, Repayments

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("loans/", Loans.as_view(), name="loans"),
    path("loans/<uuid:public_id>/", LoanDetail.as_view(), name="loan"),
    path("loans/<uuid:public_id>/repayments/", Repayments.as_view(), name="repayments"),
    path("payments/<uuid:public_id>/", PaymentDetail.as_view(), name="payment"),
]
