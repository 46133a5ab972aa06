"""Accounts: the bank accounts that people have endorsed for a vendor, with the place they were read in."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import (
    Arguments,
    Call,
    Effect,
    FieldClass,
    Marked,
    Record,
    Tool,
    ToolRefused,
    Undo,
)
from tools.sandbox.database import Connection, Sandbox, exists, many
from tools.sandbox.deeds import of_result, written
from tools.sandbox.vendors.documents import DocumentId
from tools.sandbox.vendors.entries import Entries
from tools.sandbox.vendors.iban import Iban, holds
from tools.sandbox.vendors.register import GetVendor, VendorId

AccountId = Annotated[str, Field(pattern=r"^A-[0-9]{5,12}$", max_length=14)]
Quote = Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=600)]
REVOCABLE = timedelta(days=90)
_PERSONAL = Marked(field_class=FieldClass.PERSONAL)


class Account(Record):
    """An account that somebody has endorsed: of whom, and in which document on which page it stands."""

    account_id: str
    vendor_id: str
    iban: Annotated[str, _PERSONAL]
    document_id: str
    page: int
    quote: Annotated[str, _PERSONAL]
    status: Literal["endorsed", "revoked"]
    created_at: datetime


class VendorAccounts(Record):
    """The accounts of a vendor that stand endorsed, the newest first."""

    vendor_id: str
    account_ids: list[str]
    ibans: list[Annotated[str, _PERSONAL]]


class EndorseAccount(Arguments):
    """Which account is whose, and where that is written."""

    vendor_id: VendorId
    iban: Annotated[Iban, _PERSONAL]
    document_id: DocumentId
    page: Annotated[int, Field(ge=1, le=10_000)]
    quote: Annotated[Quote, _PERSONAL]


class RevokeAccount(Arguments):
    """Which endorsement to take back."""

    account_id: AccountId


_ENDORSED = """
    SELECT {columns} FROM vendor_accounts WHERE vendor_id = %s AND status = 'endorsed'
    ORDER BY created_at DESC, account_id DESC
"""
_OF_ANOTHER = "SELECT FROM vendor_accounts WHERE iban = %s AND status = 'endorsed' AND vendor_id <> %s"
_THEIRS = "SELECT FROM vendor_documents WHERE document_id = %s AND vendor_id = %s"
_IN_USE = "SELECT FROM vendor_activations WHERE account_id = %s AND status = 'active'"
_INSERT = """
    INSERT INTO vendor_accounts (vendor_id, iban, document_id, page, quote, status, created_at,
                                 idempotency_key)
    VALUES (%s, %s, %s, %s, %s, 'endorsed', %s, %s) RETURNING {columns}
"""


def accounts_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Reading, endorsing and revoking accounts."""
    accounts = _Accounts(sandbox)
    return (
        Tool(
            name="vendors.accounts",
            version="1",
            purpose="List the bank accounts of a vendor that people have endorsed.",
            effect=Effect.READ,
            arguments=GetVendor,
            result=VendorAccounts,
            perform=accounts.endorsed,
            idempotent=True,
        ),
        Tool(
            name="vendors.endorse_account",
            version="1",
            purpose="Endorse that a bank account is a vendor's, as a document says.",
            effect=Effect.WRITE,
            arguments=EndorseAccount,
            result=Account,
            perform=accounts.endorsing.perform,
            idempotent=True,
            find=accounts.endorsing.find,
            undo=Undo(
                tool="vendors.revoke_account",
                arguments=of_result("account_id"),
                window=REVOCABLE,
                proven_for="1",
            ),
            authority=frozenset({"vendor_id", "iban"}),
        ),
        Tool(
            name="vendors.revoke_account",
            version="1",
            purpose="Take back that a bank account is a vendor's.",
            effect=Effect.WRITE,
            arguments=RevokeAccount,
            result=Account,
            perform=accounts.revoking.perform,
            idempotent=True,
            find=accounts.revoking.find,
            undone_outside="Finance endorses the account again.",
            authority=frozenset({"account_id"}),
        ),
    )


class _Accounts:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        entries = Entries(
            sandbox=sandbox,
            table="vendor_accounts",
            id="account_id",
            record=Account,
            stands="endorsed",
            undone="revoked",
            window=REVOCABLE,
        )
        self.endorsing = entries.making("vendors.endorse_account", self._endorse)
        self.revoking = entries.taking_back("vendors.revoke_account", _require_idle)

    async def endorsed(self, arguments: GetVendor, _call: Call) -> VendorAccounts:
        async with self._sandbox.reading() as connection:
            found = await many(connection, Account, _ENDORSED, arguments.vendor_id)
        return VendorAccounts(
            vendor_id=arguments.vendor_id,
            account_ids=[account.account_id for account in found],
            ibans=[account.iban for account in found],
        )

    async def _endorse(self, connection: Connection, wanted: EndorseAccount, key: str) -> Account:
        """Write an account down as a vendor's, unless it is another vendor's."""
        await _require_plausible(connection, wanted)
        values = tuple(getattr(wanted, name) for name in EndorseAccount.model_fields)
        return await written(connection, Account, _INSERT, *values, self._sandbox.now(), key)


async def _require_plausible(connection: Connection, wanted: EndorseAccount) -> None:
    if not holds(wanted.iban):
        raise ToolRefused("the check digits of the IBAN are wrong")
    if not await exists(connection, _THEIRS, wanted.document_id, wanted.vendor_id):
        raise ToolRefused(f"{wanted.document_id} is no document of {wanted.vendor_id}")
    if await exists(connection, _OF_ANOTHER, wanted.iban, wanted.vendor_id):
        raise ToolRefused("the account is endorsed for another vendor")


async def _require_idle(connection: Connection, account: Account) -> None:
    if await exists(connection, _IN_USE, account.account_id):
        raise ToolRefused(f"{account.vendor_id} is active with {account.account_id}")
