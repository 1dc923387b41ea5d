"""The product as a live server, a bank process of its own, and a payer between them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from django.test import Client

from accounts.models import User
from loans.adapters.bank import BankClient
from loans.engine.terms import PrepaymentEffect
from loans.models import BankTransfer, Loan
from tests.factories.funded import funded_loan
from tests.integration.sandbox.sandbox_world import (
    PATIENCE_SECONDS,
    SandboxProcess,
    eventually,
    web,
)
from zhixin.sandbox.keys import ensure_keys

PAYER = "2088000000000042"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"


@dataclass
class Rail:
    """The bank's process, and what a borrower and their browser do."""

    bank: SandboxProcess
    site: str
    borrower: Client = field(default_factory=Client)

    def client(self, **changes: Any) -> BankClient:
        client = BankClient.from_settings()
        for name, value in changes.items():
            object.__setattr__(client, name, value)
        return client

    def orders(self) -> dict[str, Any]:
        rows = self.bank.control("book")["orders"]
        return {row["client_reference"]: row for row in rows}

    def post_amount(self, loan: Loan, amount: str, *, key: str = "", **more: Any) -> Any:
        """Send the pay page's form by its Alipay button; return the answer."""
        headers = {"User-Agent": more.pop("agent", "Mozilla/5.0 (X11; Linux x86_64)")}
        body = {
            "amount": amount,
            "key": key or str(uuid4()),
            "way": "alipay",
            # What exceeds all that is due asks for a choice, made on the same page.
            "compared": amount,
            "prepayment": PrepaymentEffect.NEXT_INSTALLMENTS,
            **more,
        }
        return self.borrower.post(f"/loans/{loan.public_id}/pay/", body, headers=headers)

    def order(self, loan: Loan, amount: str, **more: Any) -> BankTransfer:
        """Order a payment at the cashier; return its transfer."""
        answer = self.post_amount(loan, amount, **more)
        assert answer.status_code == 302, answer.content.decode()[:3000]
        assert re.fullmatch(r"/payments/[0-9a-f-]+/alipay/", answer["Location"])
        return BankTransfer.objects.select_related("loan").get(
            public_id=answer["Location"].split("/")[2]
        )

    def cashier_address(self, transfer: BankTransfer) -> str:
        """Return the bank's address on our page in between."""
        page = self.borrower.get(f"/payments/{transfer.public_id}/alipay/")
        assert page.status_code == 200
        found = re.search(r'http-equiv="refresh"\s+content="0;url=([^"]+)"', page.content.decode())
        assert found
        return unescape(found[1])

    def open(self, transfer: BankTransfer) -> str:
        """Have the payer's browser open the cashier; return the cashier's address."""
        answer = web().get(self.cashier_address(transfer))
        assert answer.status_code == 303, answer.text
        return str(httpx.URL(self.bank.url).join(answer.headers["Location"]))

    def choose(self, cashier: str, choice: str = "pay", payer: str = PAYER) -> httpx.Response:
        return web().post(cashier, data={"choice": choice, "payer": payer})

    def pay(self, transfer: BankTransfer) -> str:
        """Pay at the cashier; return the address to which the payer is sent back."""
        answer = self.choose(self.open(transfer))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])


def settled(transfer: BankTransfer) -> BankTransfer:
    """Return the transfer once it is settled."""

    def look() -> bool:
        transfer.refresh_from_db()
        return transfer.settled_at is not None

    eventually(look)
    return transfer


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys")
    ensure_keys(path)
    return path


@pytest.fixture
def rail(live_server: Any, settings: Any, tmp_path: Path, keys_dir: Path) -> Iterator[Rail]:
    data_dir = tmp_path / "bank"
    data_dir.mkdir()
    for file in keys_dir.glob("*.pem"):
        (data_dir / file.name).write_bytes(file.read_bytes())
    bank = SandboxProcess(
        "zhixin.sandbox.bank",
        [
            *("--data-dir", str(data_dir), "--notify-url", f"{live_server.url}/bank/notices"),
            *("--settle-delay", "0.03", "--retry-base", "0.05", "--allow-faults"),
        ],
    )
    bank.start()
    settings.BANK_GATEWAY_URL = f"{bank.url}/gateway.do"
    settings.BANK_PUBLIC_KEY_PEM = (data_dir / "bank_public.pem").read_text()
    settings.LENDER_PRIVATE_KEY_PEM = (data_dir / "lender_private.pem").read_text()
    settings.SITE_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    try:
        yield Rail(bank=bank, site=live_server.url)
    finally:
        bank.kill()
        let_the_site_finish(live_server.url)


def let_the_site_finish(site: str) -> None:
    """Wait for the last answers to the bank: what they write must not meet the emptying of tables.

    The site takes calls in the order of their arrival, so one more call is behind all the others.
    """
    web().get(f"{site}/healthz")
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(PATIENCE_SECONDS)


@pytest.fixture
def loan(rail: Rail) -> Loan:
    """A funded loan whose borrower is signed in."""
    loan = funded_loan()
    rail.borrower.force_login(User.objects.get(pk=loan.borrower_id))
    return loan
