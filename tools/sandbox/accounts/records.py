"""Accounts: whom the sales team sells to, what each field says of them, and how they belong together."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, RecordNotFound, Tool, Trust
from tools.sandbox.crm.vocabulary import FieldName
from tools.sandbox.database import Sandbox, many, one

AccountId = Annotated[str, Field(pattern=r"^A-[0-9]{5}$", max_length=7)]


class FieldValue(Record):
    """What a field says, who set it last, and when."""

    account_id: str
    field: FieldName
    value: str | None
    set_by: str
    set_at: datetime
    version: int


class Account(Record):
    """An account; its version is that of the field that was set last."""

    account_id: str
    name: str
    register_no: str
    status: Literal["active", "closed", "merged"]
    merged_into: str | None
    description: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    fields: tuple[FieldValue, ...] = ()
    version: int = 0


class Relation(Record):
    """How an account belongs to another, or what it has with us."""

    relation_id: str
    account_id: str
    kind: Literal["parent", "contract", "opportunity"]
    other_account_id: str | None
    stage: Literal["active", "ended", "open", "won", "lost"]
    since: date


class Relations(Record):
    """An account's relations, and those of the account it belongs to.

    Attributes:
        group_is_customer: whether the account, or the one it belongs to, has a contract with us.
        open_opportunities: how many of the account's own.
    """

    account_id: str
    relations: tuple[Relation, ...]
    group_is_customer: bool
    open_opportunities: int


class GetAccount(Arguments):
    """Which account to get."""

    account_id: AccountId


class ListRelations(Arguments):
    """Whose relations to list."""

    account_id: AccountId


_GET = """
    SELECT account_id, name, register_no, status, merged_into, description
    FROM crm_accounts WHERE account_id = %s
"""
_FIELDS = "SELECT {columns} FROM crm_fields WHERE account_id = %s ORDER BY field"
_RELATIONS = "SELECT {columns} FROM crm_relations WHERE account_id = %s ORDER BY relation_id"
_CONTRACTS = """
    SELECT {columns} FROM crm_relations WHERE kind = 'contract' AND stage = 'active' AND (account_id = %s
      OR account_id IN (SELECT other_account_id FROM crm_relations
                        WHERE account_id = %s AND kind = 'parent' AND stage = 'active'))
"""


def records_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools that read the CRM."""

    async def get(arguments: GetAccount, _call: Call) -> Account:
        async with sandbox.reading() as connection:
            account = await one(connection, Account, _GET, arguments.account_id)
            fields = await many(connection, FieldValue, _FIELDS, arguments.account_id)
        if account is None:
            raise RecordNotFound(f"there is no account {arguments.account_id}")
        newest = max((field.version for field in fields), default=0)
        return account.model_copy(update={"fields": tuple(fields), "version": newest})

    async def relations(arguments: ListRelations, _call: Call) -> Relations:
        account_id = arguments.account_id
        async with sandbox.reading() as connection:
            own = await many(connection, Relation, _RELATIONS, account_id)
            contracts = await many(connection, Relation, _CONTRACTS, account_id, account_id)
        return Relations(
            account_id=account_id,
            relations=tuple(own),
            group_is_customer=bool(contracts),
            open_opportunities=sum(one.kind == "opportunity" and one.stage == "open" for one in own),
        )

    return (
        Tool(
            name="crm.get_account",
            version="1",
            purpose="Get an account: its name and register number, and each field with who set it and when.",
            effect=Effect.READ,
            arguments=GetAccount,
            result=Account,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="crm.relations",
            version="1",
            purpose="List what an account has with us, and which account it belongs to.",
            effect=Effect.READ,
            arguments=ListRelations,
            result=Relations,
            perform=relations,
            idempotent=True,
        ),
    )
