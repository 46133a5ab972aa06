"""Mail, by SMTP: plain text, to one person at a time, over TLS."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as AS_SENT
from enum import StrEnum

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from tools.notices.message import Message, NoticeUndelivered, visible

_PERMANENT = 500
_FAREWELL_SECONDS = 2


class Tls(StrEnum):
    """How a connection to a mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpSender:
    """Sends mail through one server.

    Attributes:
        mailbox: whom mail is from, an address alone.
    """

    host: str
    port: int
    tls: Tls
    mailbox: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    within: timedelta

    async def send(self, message: Message, now: datetime) -> None:
        """Hand the mail to the server; raises NoticeUndelivered.

        A mail that the server has taken is sent, whatever becomes of the connection afterwards.
        """
        mail = as_mail(message, self.mailbox, now)
        assert message.to is not None, "a mail is written to somebody"
        client = self._client()
        try:
            await self._hand_over(client, mail, message.to.email)
            with suppress(SMTPException, OSError):
                await client.quit(timeout=_FAREWELL_SECONDS)
        finally:
            client.close()

    async def _hand_over(self, client: SMTP, mail: EmailMessage, recipient: str) -> None:
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                await client.connect()
                await client.send_message(mail, sender=self.mailbox, recipients=[recipient])
        except (SMTPException, OSError, ValueError) as error:
            raise _undelivered(error) from error

    def _client(self) -> SMTP:
        return SMTP(
            hostname=self.host,
            port=self.port,
            local_hostname=_domain(self.mailbox),
            username=self.username,
            password=self.password,
            timeout=self.within.total_seconds(),
            use_tls=self.tls is Tls.TLS,
            start_tls=self.tls is Tls.STARTTLS,
        )


def as_mail(message: Message, mailbox: str, now: datetime) -> EmailMessage:
    """The message as a mail; raises NoticeUndelivered if its addressee cannot be written to.

    What is in the headers is made visible first, and a line break left in one is refused by the policy.
    """
    assert message.to is not None, "a mail is written to somebody"
    mail = EmailMessage(policy=AS_SENT)
    try:
        mail["From"] = Address("Countersign", addr_spec=mailbox)
        mail["To"] = Address(visible(message.to.name), addr_spec=message.to.email)
    except (ValueError, IndexError, MessageError) as error:  # whatever the parser of addresses stumbles on
        raise NoticeUndelivered("the address is none that can be written to", permanent=True) from error
    mail["Subject"] = message.subject
    mail["Date"] = now
    mail["Message-ID"] = f"<{message.id}@{_domain(mailbox)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n\n{message.link}\n")
    return mail


def _domain(mailbox: str) -> str:
    return mailbox.rpartition("@")[2]


def _undelivered(error: Exception) -> NoticeUndelivered:
    """What an error comes to; of the server's answer only the code, for its words may name the recipient."""
    match error:
        case SMTPAuthenticationError(code=code):  # that speaks of our settings, not of this mail
            return NoticeUndelivered(f"the mail server refused the sign-in: {code}", permanent=False)
        case SMTPRecipientsRefused(recipients=refused):
            return _undelivered(refused[0])
        case SMTPResponseException(code=code):
            return NoticeUndelivered(f"the mail server answered {code}", permanent=code >= _PERMANENT)
        case SMTPException() | OSError():  # an untrusted certificate is a ValueError too
            return NoticeUndelivered(f"no answer: {type(error).__name__}", permanent=False)
        case _:
            return NoticeUndelivered("the address is none that can be written to", permanent=True)
