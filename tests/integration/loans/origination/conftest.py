"""What every test of origination starts from."""

from __future__ import annotations

import pytest

from accounts.models import User
from tests.factories.accounts import make_borrower
from tests.factories.loans import make_underwriter, open_shop


@pytest.fixture
def shop(db: None) -> None:
    """Policies, products, merchants and the business date are there."""
    open_shop()


@pytest.fixture
def borrower(shop: None) -> User:
    """A person with a whole profile."""
    return make_borrower()


@pytest.fixture
def underwriter(shop: None) -> User:
    """A member of staff who may decide on referrals."""
    return make_underwriter()
