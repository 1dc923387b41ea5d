"""What staff see of people: masked, every look recorded, little to change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.access import AboutPeople, ProofsToCheck
from accounts.engine.contact_rules import ContactPurpose
from accounts.forms import AmountField
from accounts.models import (
    BorrowerProfile,
    Consent,
    ContactHold,
    IncomeProof,
    Message,
    PersonalDataAccess,
    User,
)
from accounts.services import income_proofs
from accounts.services.consents import record_access
from zhixin.shared import clock
from zhixin.shared.admin import ReadOnlyModelAdmin, actor_column
from zhixin.shared.errors import DomainError

admin.site.unregister(Group)


class NewUserForm(UserCreationForm):
    """A new member of staff or borrower: an e-mail address or a phone number."""

    class Meta:
        """Django's form, on our user."""

        model = User
        fields = ("email", "phone")


class RecordsReads(ModelAdmin):
    """Records every look at one person's data, for that person to see."""

    # In English: the person reads it in the language of the page.
    read_purpose: str = ""
    read_fields: tuple[str, ...] = ()
    # Leads from a row to its person, like "loan__borrower"; "" when the row is the person.
    subject_path: str = "user"

    def subject_of(self, obj: Any) -> User | None:  # noqa: ANN401 - the admin's own model.
        """Return whose data `obj` is; None when it is about nobody."""
        subject: Any = obj
        for name in filter(None, self.subject_path.split("__")):
            subject = getattr(subject, name, None)
        return subject if isinstance(subject, User) else None

    def render_change_form(  # noqa: PLR0917 - Django's signature.
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature.
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature.
        form_url: str = "",
        obj: Any = None,  # noqa: ANN401 - Django's signature.
    ) -> HttpResponse:
        """Record the look, then show."""
        subject = None if obj is None else self.subject_of(obj)
        if subject is not None and request.method == "GET" and isinstance(request.user, User):
            record_access(
                actor=request.user.as_actor(),
                subject=subject,
                fields=self.read_fields,
                purpose=self.read_purpose,
                at=clock.now(),
            )
        response: HttpResponse = super().render_change_form(
            request, context, add, change, form_url, obj
        )
        return response


@admin.register(User)
class UserAdmin(RecordsReads, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # Not generic at run time.
    """People with their roles. Nobody is deleted: closing the account is enough."""

    read_purpose = gettext_noop("Looking at an account")
    read_fields = ("phone number", "e-mail address")
    subject_path = ""
    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("contact", "person_name", "is_staff", "is_active", "date_joined")
    list_filter = ("is_staff", "is_active", "groups")
    search_fields = ("phone", "email")
    ordering = ("-date_joined",)
    readonly_fields = ("public_id", "date_joined", "last_login", "phone_verified")
    filter_horizontal = ("groups", "user_permissions")
    fieldsets = (
        (None, {"fields": ("public_id", "phone", "phone_verified", "email", "password")}),
        (_("Messages"), {"fields": ("language", "time_zone")}),
        (
            _("Rights"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "phone", "password1", "password2")}),)

    @admin.display(description=_("contact"))
    def contact(self, user: User) -> str:
        """Return the phone number or the e-mail address, with its middle hidden."""
        return user.masked_contact

    @admin.display(description=_("name"))
    def person_name(self, user: User) -> str:
        """Return the person's name when they have told it."""
        return user.display_name

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Refuse: what a person did must keep its author."""
        return False


@admin.register(Group)
class GroupAdmin(ReadOnlyModelAdmin, DjangoGroupAdmin):
    """The roles; `manage.py sync_roles` makes them."""


@admin.register(BorrowerProfile)
class BorrowerProfileAdmin(RecordsReads, ReadOnlyModelAdmin):
    """What borrowers have told, with numbers masked."""

    reach = AboutPeople("user")
    read_purpose = gettext_noop("Working on the profile")
    read_fields = ("name", "resident ID number (masked)", "work", "income and costs")
    list_display = ("full_name", "user", "employment", "updated_at")
    list_select_related = ("user",)
    search_fields = ("full_name",)
    fields = (
        "user",
        "full_name",
        "id_number_masked",
        "birth_date",
        "employment",
        "employer",
        "employed_since",
        "monthly_income",
        "other_income",
        "housing_cost",
        "living_costs",
        "debt_payments",
        "debt_total",
        "adults",
        "children",
        "bank_card_masked",
        "updated_at",
    )

    @admin.display(description=_("resident ID number"))
    def id_number_masked(self, profile: BorrowerProfile) -> str:
        """Return the ID number with birth date and sex hidden."""
        return profile.masked_id_number

    @admin.display(description=_("bank card number"))
    def bank_card_masked(self, profile: BorrowerProfile) -> str:
        """Return the bank and the last four digits."""
        return profile.masked_bank_card


class DecideIncomeProofForm(forms.ModelForm):  # type: ignore[type-arg]  # The same.
    """The income that staff read from the document, or why they cannot."""

    verified_income = AmountField(label=_("Verified income a month"), required=False)

    class Meta:
        """Only the decision can be typed."""

        model = IncomeProof
        fields = ("verified_income", "rejected_reason")

    def clean(self) -> dict[str, Any]:
        """Ask for one of the two."""
        cleaned: dict[str, Any] = super().clean() or {}
        has_income = cleaned.get("verified_income") is not None
        if has_income == bool(cleaned.get("rejected_reason")):
            raise forms.ValidationError(
                _("Enter either the verified income or why the document proves nothing.")
            )
        return cleaned


@admin.register(IncomeProof)
class IncomeProofAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Proofs to check, oldest first; a decision stands and is never changed."""

    reach = ProofsToCheck()
    form = DecideIncomeProofForm
    read_purpose = gettext_noop("Checking an income proof")
    read_fields = ("income proof",)
    list_display = ("user", "kind", "stated", "verified", "uploaded_at", "decided_at")
    list_filter = (("decided_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("user",)
    ordering = ("decided_at", "uploaded_at")
    fields = (
        "user",
        "kind",
        "open_document",
        "stated",
        "uploaded_at",
        "verified_income",
        "rejected_reason",
        "decided_by",
        "decided_at",
    )
    readonly_fields = (
        "user",
        "kind",
        "open_document",
        "stated",
        "uploaded_at",
        "decided_by",
        "decided_at",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature.
        """Let decide who may verify income, once, and never one's own proof."""
        if obj is not None and (obj.decided_at or obj.user_id == request.user.pk):
            return False
        return bool(request.user.has_perm("accounts.verify_incomeproof"))

    def save_model(
        self,
        request: HttpRequest,
        obj: IncomeProof,
        form: Any,  # noqa: ANN401 - Django's signature.
        change: bool,  # noqa: FBT001 - Django's signature.
    ) -> None:
        """Hand the decision to the service."""
        if not isinstance(request.user, User):
            raise TypeError("Only staff decide proofs.")
        income = form.cleaned_data["verified_income"]
        try:
            if income is None:
                income_proofs.reject_income_proof(
                    proof=obj,
                    reason=form.cleaned_data["rejected_reason"],
                    actor=request.user,
                    at=clock.now(),
                )
            else:
                income_proofs.verify_income(
                    proof=obj, verified_income=income, actor=request.user, at=clock.now()
                )
        except DomainError as error:
            messages.error(request, str(error))

    @admin.display(description=_("document"))
    def open_document(self, obj: IncomeProof) -> str:
        """Return the link to the guarded view."""
        url = reverse("accounts:income_proof", args=[obj.public_id])
        return format_html('<a href="{}" target="_blank">{}</a>', url, _("Open"))

    @admin.display(description=_("stated a month"))
    def stated(self, obj: IncomeProof) -> str:
        """Return the stated amount."""
        return str(obj.stated_monthly_amount)

    @admin.display(description=_("verified a month"))
    def verified(self, obj: IncomeProof) -> str:
        """Return the verified amount, or a dash."""
        return "—" if obj.verified_income is None else str(obj.verified_income)


@admin.register(Message)
class MessageAdmin(RecordsReads, ReadOnlyModelAdmin):
    """The outbox. Codes are never shown: they open accounts."""

    reach = AboutPeople("recipient")
    subject_path = "recipient"
    read_purpose = gettext_noop("Reading a message")
    read_fields = ("messages",)
    list_display = ("created_at", "address_masked", "channel", "purpose", "state", "refusal_rule")
    list_filter = ("state", "purpose", "channel")
    date_hierarchy = "created_at"
    fields = (
        "recipient",
        "address_masked",
        "channel",
        "purpose",
        "language",
        "text",
        "state",
        "refusal_rule",
        "attempts",
        "created_at",
        "not_before",
        "sent_at",
        "delivery_reference",
        "latest_error",
    )

    @admin.display(description=_("address"))
    def address_masked(self, obj: Message) -> str:
        """Return the address with its middle hidden."""
        return obj.masked_address

    @admin.display(description=_("text"))
    def text(self, obj: Message) -> str:
        """Return the text, but not of a code."""
        if obj.purpose == ContactPurpose.AUTH:
            return gettext("Hidden: it may hold a code.")
        return obj.body


@admin.register(ContactHold)
class ContactHoldAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Who may not be contacted, and why."""

    reach = AboutPeople("person")
    subject_path = "person"
    read_purpose = gettext_noop("Looking at how a person may be contacted")
    read_fields = ("holds on contact",)
    list_display = ("person", "reason", "until", "placed_at", "placed_by_label", "released_at")
    list_filter = ("reason", ("released_at", admin.EmptyFieldListFilter))
    list_select_related = ("person",)


@admin.register(Consent)
class ConsentAdmin(RecordsReads, ReadOnlyModelAdmin):
    """What people have agreed to."""

    reach = AboutPeople("user")
    read_purpose = gettext_noop("Looking at what a person agreed to")
    read_fields = ("consents",)
    list_display = ("at", "user", "purpose", "granted", "text_version")
    list_filter = ("purpose", "granted")
    list_select_related = ("user",)


@admin.register(PersonalDataAccess)
class PersonalDataAccessAdmin(ReadOnlyModelAdmin):
    """Who has looked at whose data."""

    reach = AboutPeople("subject")
    list_display = ("at", "who", "subject", "reason")
    list_select_related = ("subject",)
    who = actor_column("actor_label", _("read by"))

    @admin.display(description=_("why"))
    def reason(self, access: PersonalDataAccess) -> str:
        """Return the reason, kept in English, in the reader's language."""
        return gettext(access.purpose)
