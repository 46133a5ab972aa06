"""Messages: the held outbox of what vendors are asked for, in our own words."""

from collections.abc import Iterable
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
from tools.sandbox.database import Connection, Sandbox, many, one
from tools.sandbox.deeds import of_result, written
from tools.sandbox.vendors.entries import Entries
from tools.sandbox.vendors.register import GetVendor, Vendor, VendorId

MessageId = Annotated[str, Field(pattern=r"^M-[0-9]{5,12}$", max_length=14)]
Needed = Annotated[str, Field(pattern=r"^(document|field|current):[a-z_]{1,40}$", max_length=60)]
"""What a vendor is asked for: a document that can be read, what one has to say, or a newer one."""
HELD = timedelta(minutes=10)
WORDS = {
    "document:registration": "your extract from the commercial register",
    "document:bank_letter": "a letter of your bank about your account",
    "document:insurance_certificate": "your certificate of liability insurance",
    "current:insurance_certificate": "a newer certificate of liability insurance, for yours has expired",
    "field:legal_name": "your full legal name",
    "field:registration_number": "your registration number",
    "field:country": "the country you are registered in",
    "field:vat_id": "your VAT identification number",
    "field:iban": "the IBAN of your bank account, as your bank confirms it",
    "field:contact_email": "an e-mail address of your accounts department",
    "field:certificate_expiry": "until when your insurance is valid",
}
"""How a vendor is asked for each thing; what is not here is not asked for."""
_LETTER = (
    "Dear vendor,\n\nthank you for your application {vendor}. To go on we still need:\n{needed}\n\n"
    "Please send it as PDF or text through the vendor portal, and never account details by e-mail.\n\n"
    "Your procurement team"
)


class Message(Record):
    """A message to a vendor; it leaves the house at `send_after`.

    Attributes:
        turn: the how-manieth of its kind in the vendor's application.
    """

    message_id: str
    vendor_id: str
    template: str
    items: list[str]
    turn: int
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]
    status: Literal["queued", "retracted"]
    created_at: datetime
    send_after: datetime


class VendorMessages(Record):
    """What a vendor was asked for and what was not taken back, the newest last."""

    vendor_id: str
    messages: list[Message]


class RequestInformation(Arguments):
    """Whom to ask, by which template, for what, for the how-manieth time."""

    vendor_id: VendorId
    template: Literal["missing_information"]
    items: Annotated[list[Needed], Field(min_length=1, max_length=20)]
    turn: Annotated[int, Field(ge=1, le=100)]


class RetractRequest(Arguments):
    """Which message to take back."""

    message_id: MessageId


_STANDING = """
    SELECT {columns} FROM vendor_messages WHERE vendor_id = %s AND status = 'queued'
    ORDER BY created_at, message_id
"""
_VENDOR = "SELECT {columns} FROM vendors WHERE vendor_id = %s"
_INSERT = """
    INSERT INTO vendor_messages (vendor_id, template, items, turn, body, status, created_at, send_after,
                                 idempotency_key)
    VALUES (%s, %s, %s, %s, %s, 'queued', %s, %s, %s) RETURNING {columns}
"""


def letter(vendor_id: str, items: Iterable[str]) -> str:
    """The message's text: fixed words, and nothing that anybody outside has written."""
    return _LETTER.format(vendor=vendor_id, needed="\n".join(f"- {WORDS[item]}" for item in items))


def messages_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Reading the outbox, writing to a vendor, and taking that back."""
    messages = _Messages(sandbox)
    return (
        Tool(
            name="vendors.messages",
            version="1",
            purpose="List what a vendor was asked for.",
            effect=Effect.READ,
            arguments=GetVendor,
            result=VendorMessages,
            perform=messages.standing,
            idempotent=True,
        ),
        Tool(
            name="vendors.request_information",
            version="1",
            purpose="Ask a vendor for what is missing; the message is held for ten minutes and then sent.",
            effect=Effect.EGRESS,
            arguments=RequestInformation,
            result=Message,
            perform=messages.requesting.perform,
            idempotent=True,
            find=messages.requesting.find,
            undo=Undo(
                tool="vendors.retract_request", arguments=of_result("message_id"), window=HELD, proven_for="1"
            ),
            authority=frozenset({"vendor_id", "template"}),
        ),
        Tool(
            name="vendors.retract_request",
            version="1",
            purpose="Take back a message to a vendor that is still held.",
            effect=Effect.WRITE,
            arguments=RetractRequest,
            result=Message,
            perform=messages.retracting.perform,
            idempotent=True,
            find=messages.retracting.find,
            undone_outside="Somebody writes to the vendor again.",
            authority=frozenset({"message_id"}),
        ),
    )


class _Messages:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        entries = Entries(
            sandbox=sandbox,
            table="vendor_messages",
            id="message_id",
            record=Message,
            stands="queued",
            undone="retracted",
            window=HELD,
        )
        self.requesting = entries.making("vendors.request_information", self._request)
        self.retracting = entries.taking_back("vendors.retract_request")

    async def standing(self, arguments: GetVendor, _call: Call) -> VendorMessages:
        async with self._sandbox.reading() as connection:
            found = await many(connection, Message, _STANDING, arguments.vendor_id)
        return VendorMessages(vendor_id=arguments.vendor_id, messages=found)

    async def _request(self, connection: Connection, wanted: RequestInformation, key: str) -> Message:
        """Queue a message in the words of its template."""
        if unknown := set(wanted.items) - WORDS.keys():
            raise ToolRefused(f"there are no words for {', '.join(sorted(unknown))}")
        if await one(connection, Vendor, _VENDOR, wanted.vendor_id) is None:
            raise ToolRefused(f"there is no vendor {wanted.vendor_id}")
        now = self._sandbox.now()
        what = (wanted.vendor_id, wanted.template, wanted.items, wanted.turn)
        body = letter(wanted.vendor_id, wanted.items)
        return await written(connection, Message, _INSERT, *what, body, now, now + HELD, key)
