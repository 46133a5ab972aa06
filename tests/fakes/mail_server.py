"""A mail server behind a real socket: it keeps what it takes, and refuses or hangs as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CERTIFICATE = Path(__file__).with_name("localhost.pem")
_PATIENCE_SECONDS = 30
USERNAME, PASSWORD = "countersign", "the mail server's password"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """A mail as it came over the wire: its envelope and its content."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def content(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)

    @property
    def text(self) -> str:
        return str(self.content.get_content())


@dataclass(slots=True)
class MailServer:
    """A running server: what it took, and how it answers.

    Attributes:
        to_recipient: what `RCPT TO` is answered with, by the address.
        after_data: what is answered when the mail has come; None answers nothing, until the client gives up.
        pause: how many seconds it takes over each command.
        came: set when a mail has come, whatever it is answered with.
    """

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    to_recipient: Callable[[str], str] = lambda _: "250 OK"
    after_data: str | None = "250 OK"
    pause: float = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    signed_in: list[str] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(  # noqa: N802 - the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.pause)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.pause)
        answer = self.to_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        self.mails.append(
            Mail(sender=envelope.mail_from, recipients=tuple(envelope.rcpt_tos), raw=envelope.content)
        )
        self.came.set()
        await asyncio.sleep(self.pause)
        if self.after_data is None:
            await asyncio.Event().wait()  # ends with the connection
        assert self.after_data is not None
        return self.after_data

    def sign_in(self, *asked: object) -> AuthResult:
        """What aiosmtpd asks: server, session, envelope, mechanism and login."""
        login = asked[-1]
        assert isinstance(login, LoginPassword)
        self.signed_in.append(login.login.decode())
        return AuthResult(success=login.password.decode() == PASSWORD, handled=False)


class _Connection(SMTP):
    """A connection that its server knows of until it is lost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.connections.add(self)
        self.event_handler.idle.clear()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.connections.discard(self)
        if not self.event_handler.connections:
            self.event_handler.idle.set()


@asynccontextmanager
async def mail_server(*, starttls: bool = False, tls: bool = False) -> AsyncIterator[MailServer]:
    """A server on a free port of this machine; with TLS it shows the tests' own certificate.

    It leaves no connection behind: clients must have closed theirs.
    """
    server = MailServer()
    server.idle.set()
    protected = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    protected.load_cert_chain(CERTIFICATE)

    def connection() -> SMTP:
        return _Connection(
            server,
            hostname="localhost",
            tls_context=protected if starttls else None,
            require_starttls=starttls,
            authenticator=server.sign_in,
            loop=asyncio.get_running_loop(),
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(connection, "127.0.0.1", 0, ssl=protected if tls else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await server.idle.wait()
