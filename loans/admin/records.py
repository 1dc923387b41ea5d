"""Rows about a loan or an application: for whose work they are, every look recorded."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from accounts.admin import RecordsReads
from loans.access import AboutApplications, AboutLoans
from zhixin.shared.admin import ReadOnlyModelAdmin


class LoanRecord(RecordsReads, ReadOnlyModelAdmin):
    """Rows of one loan, by their key `loan` unless a subclass says otherwise."""

    reach = AboutLoans("loan")
    subject_path = "loan__borrower"
    read_purpose = gettext_noop("Looking at a loan")
    read_fields = ("loan",)


class ApplicationRecord(RecordsReads, ReadOnlyModelAdmin):
    """Rows of one application, by their key `application` unless a subclass says otherwise."""

    reach = AboutApplications("application")
    subject_path = "application__borrower"
    read_purpose = gettext_noop("Looking at an application")
    read_fields = ("application",)
