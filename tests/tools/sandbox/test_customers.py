import pytest

from tests.tools.shop import Shop
from tools.contract import FieldClass, Marked, RecordNotFound, Trust
from tools.sandbox.cast import CAST
from tools.sandbox.customers import AccountStatus, Customer, Tier


async def test_a_customer_is_got_by_id(shop: Shop) -> None:
    customer = await shop.do("customers.get", customer_id=CAST["closed_account"].customer_id)
    assert customer.customer_id == CAST["closed_account"].customer_id
    assert (customer.tier, customer.status, customer.country) == (Tier.STANDARD, AccountStatus.CLOSED, "DE")
    assert customer.email.endswith("@example.com")
    assert customer.created_at.utcoffset() is not None


async def test_an_unknown_customer_is_not_found(shop: Shop) -> None:
    with pytest.raises(RecordNotFound, match="C-00000"):
        await shop.do("customers.get", customer_id="C-00000")


def test_name_and_email_are_personal_and_the_name_is_whatever_was_typed() -> None:
    name, email = (Customer.model_fields[field].metadata[0] for field in ("name", "email"))
    assert name == Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)
    assert email == Marked(field_class=FieldClass.PERSONAL)
