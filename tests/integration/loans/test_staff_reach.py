"""Staff see in the admin whom their work is about; a foreign row and a missing one answer alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.engine.contact_rules import Channel
from accounts.models import IncomeProof, PersonalDataAccess, User
from accounts.models.income_proof import FileKind, IncomeProofKind
from accounts.services import income_proofs
from collections_app.models import Case
from loans.models import Loan
from tests.factories.accounts import NOON, make_borrower, make_person, profile_of
from tests.factories.collections_app import FIRST_LATE, late_loan, make_staff
from tests.factories.funded import funded_loan, terms
from tests.factories.loans import make_referred, open_shop
from zhixin.shared.money import Money
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def staff_as(role: Role) -> User:
    call_command("sync_roles", verbosity=0)
    person = make_person(channel=Channel.EMAIL, is_staff=True)
    person.groups.add(Group.objects.get(name=role.value))
    return person


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")


def rows_of(loan: Loan) -> dict[str, Model]:
    """Return a row of each kind that names the borrower of the loan."""
    application = loan.agreement.application
    return {
        "profile": profile_of(loan.borrower),
        "loan": loan,
        "event": loan.events.order_by("pk")[0],
        "transfer": loan.transfers.order_by("pk")[0],
        "application": application,
        "agreement": loan.agreement,
        "cost sheet": application.cost_sheets.get(),
    }


@dataclass(frozen=True)
class World:
    """Loans of three people: one waits for a decision, one is late, about one nobody works."""

    applicant: Loan
    late: Loan
    quiet: Loan

    def __iter__(self) -> Iterator[Loan]:
        return iter((self.applicant, self.late, self.quiet))


@pytest.fixture
def world() -> World:
    open_shop()
    applicant = make_referred().borrower
    late = late_loan()
    today = terms(disbursement_date=FIRST_LATE)
    loans = (funded_loan(borrower=applicant, loan_terms=today), late, funded_loan(loan_terms=today))
    return World(*(Loan.objects.select_related("agreement").get(pk=loan.pk) for loan in loans))


ALL = ("applicant", "late", "quiet")
EVERY_TABLE = (
    *("profile", "loan", "event", "transfer"),
    *("application", "agreement", "cost sheet"),
)
# Role → table → whose rows; a table that is not named answers 403.
SEEN: dict[Role, dict[str, tuple[str, ...]]] = {
    Role.UNDERWRITER: {table: ("applicant",) for table in EVERY_TABLE if table != "transfer"},
    Role.COLLECTOR: dict.fromkeys(("profile", "loan"), ("late",)),
    Role.SERVICER: dict.fromkeys(EVERY_TABLE, ALL),
    Role.SERVICING_LEAD: dict.fromkeys(EVERY_TABLE, ALL),
    Role.AUDITOR: dict.fromkeys(EVERY_TABLE, ALL),
    Role.CONTENT_EDITOR: {},
}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_sees_whom_its_work_is_about(role: Role, world: World) -> None:
    client = signed_in(staff_as(role))
    statuses, expected, listed, to_list = {}, {}, {}, {}
    for whose, loan in zip(ALL, world, strict=True):
        for table, row in rows_of(loan).items():
            names = SEEN[role].get(table)
            before = PersonalDataAccess.objects.filter(subject=loan.borrower).count()
            statuses[whose, table] = client.get(page_of(row)).status_code
            expected[whose, table] = 403 if names is None else 200 if whose in names else 302
            looks = PersonalDataAccess.objects.filter(subject=loan.borrower).count() - before
            assert looks == (statuses[whose, table] == 200), (whose, table)
            page = client.get(list_of(row))
            assert page.status_code == (403 if names is None else 200), table
            if names is not None:
                listed[whose, table] = page.context["cl"].queryset.filter(pk=row.pk).exists()
                to_list[whose, table] = whose in names
    assert statuses == expected
    assert listed == to_list


def test_an_underwriter_reads_the_assessments_of_who_waits(world: World) -> None:
    client = signed_in(staff_as(Role.UNDERWRITER))
    waiting = world.applicant.borrower.applications.get(state="REFERRED")
    assert client.get(page_of(waiting)).status_code == 200
    assert client.get(page_of(waiting.assessment)).status_code == 200
    assert client.get(page_of(world.late.agreement.application.assessment)).status_code == 302
    listed = client.get(list_of(waiting.assessment)).context["cl"].queryset
    assert {row.subject for row in listed} == {world.applicant.borrower}


def test_a_superuser_sees_anybody(world: World) -> None:
    client = signed_in(User.objects.create_superuser(email="root@example.com", password="x"))
    for loan in world:
        for row in rows_of(loan).values():
            assert client.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("role", [Role.UNDERWRITER, Role.COLLECTOR])
def test_a_foreign_row_and_a_missing_one_answer_alike(role: Role, world: World) -> None:
    client = signed_in(staff_as(role))
    rows = rows_of(world.quiet)
    for table in SEEN[role]:
        row = rows[table]
        answers = {}
        for pk in (row.pk, 987_654):
            for name in ("change", "history", "delete"):
                url = reverse(
                    f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[pk]
                )
                for ask in (client.get, client.post):
                    answers[pk, name, ask.__name__] = told(ask(url), pk)
        assert {key[1:]: answer for key, answer in answers.items() if key[0] == row.pk} == {
            key[1:]: answer for key, answer in answers.items() if key[0] != row.pk
        }, table


def told(answer: HttpResponse, pk: int) -> tuple[int, str, tuple[str, ...]]:
    """Return status, target and words of an answer, without the key that was asked for."""
    words = get_messages(answer.wsgi_request)
    return (
        answer.status_code,
        answer.headers.get("Location", ""),
        tuple(str(message).replace(str(pk), "…") for message in words),
    )


@pytest.mark.parametrize("role", [Role.UNDERWRITER, Role.COLLECTOR])
def test_the_lookup_of_rows_offers_no_others(role: Role, world: World) -> None:
    wanted = {"app_label": "loans", "model_name": "loanevent", "field_name": "loan"}
    answer = signed_in(staff_as(role)).get(reverse("admin:autocomplete"), wanted)
    seen = world.applicant if role is Role.UNDERWRITER else world.late
    assert [row["id"] for row in answer.json()["results"]] == [str(seen.pk)]


def test_a_permission_to_view_shows_nobody_without_work(world: World) -> None:
    reader = signed_in(
        make_staff("loans.view_loan", "accounts.view_borrowerprofile", "collections_app.view_case")
    )
    case = Case.objects.get(loan=world.late)
    for loan in world:
        assert reader.get(page_of(loan)).status_code == 302
        assert reader.get(page_of(profile_of(loan.borrower))).status_code == 302
    assert reader.get(page_of(case)).status_code == 404
    desk = reverse("admin:collections_case", args=[case.public_id])
    assert reader.get(desk).status_code == 404
    assert not PersonalDataAccess.objects.exists()


def test_a_case_that_nobody_worked_on_is_no_reason_to_look_back() -> None:
    loan = late_loan()
    collector = staff_as(Role.COLLECTOR)
    client = signed_in(collector)
    Case.objects.update(state="CURED", closed_on=FIRST_LATE)
    case = Case.objects.get()
    desk = reverse("admin:collections_case", args=[case.public_id])
    for url in (page_of(loan), page_of(profile_of(loan.borrower))):
        assert client.get(url).status_code == 302
    assert client.get(desk).status_code == 404
    Case.objects.update(assigned_to=staff_as(Role.COLLECTOR))
    for url in (page_of(loan), page_of(profile_of(loan.borrower)), desk):
        assert client.get(url).status_code == 200


def test_nobody_works_on_their_own(world: World) -> None:
    collector, underwriter = staff_as(Role.COLLECTOR), staff_as(Role.UNDERWRITER)
    Loan.objects.filter(pk=world.late.pk).update(borrower=collector)
    assert signed_in(collector).get(page_of(world.late)).status_code == 302
    application = make_referred(make_borrower())
    application.borrower = underwriter
    application.save(update_fields=["borrower"])
    assert signed_in(underwriter).get(page_of(application)).status_code == 302


def proof_of(borrower: User) -> IncomeProof:
    return IncomeProof.objects.create(
        user=borrower,
        kind=IncomeProofKind.PAYSLIP,
        document=ContentFile(b"%PDF-1.7", name="payslip.pdf"),
        file_kind=FileKind.PDF,
        stated_monthly_amount=Money.parse("8000"),
        uploaded_at=NOON,
    )


def test_a_proof_is_shown_while_it_waits_and_to_who_decided_it() -> None:
    one, another = staff_as(Role.UNDERWRITER), staff_as(Role.UNDERWRITER)
    proof = proof_of(make_borrower())
    document = reverse("accounts:income_proof", args=[proof.public_id])
    for person in (one, another):
        client = signed_in(person)
        assert client.get(page_of(proof)).status_code == 200
        assert client.get(page_of(profile_of(proof.user))).status_code == 302
    income_proofs.verify_income(
        proof=proof, verified_income=Money.parse("8000"), actor=one, at=NOON
    )
    assert signed_in(one).get(page_of(proof)).status_code == 200
    assert signed_in(another).get(page_of(proof)).status_code == 302
    assert signed_in(another).get(document).status_code == 404
