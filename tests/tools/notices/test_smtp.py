"""Mail on a real server: who gets it, what is in it, how it is protected, and how it can fail."""

import socket
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.mail_server import CERTIFICATE, PASSWORD, USERNAME, MailServer, mail_server
from tests.tools.notices.messages import HOSTILE, MESSAGE, NOW, about
from tools.notices.message import Addressee, Message, NoticeUndelivered
from tools.notices.smtp import SmtpSender, Tls

FROM = "countersign@example.com"


def sender(server: MailServer | None = None, **changes: Any) -> SmtpSender:
    usual: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port if server else 1,
        "tls": Tls.NONE,
        "mailbox": FROM,
        "within": timedelta(seconds=10),
    }
    return SmtpSender(**usual | changes)


async def undelivered(sending: SmtpSender, message: Message = MESSAGE) -> NoticeUndelivered:
    with pytest.raises(NoticeUndelivered) as failed:
        await sending.send(message, NOW)
    assert "example.com" not in str(failed.value)
    return failed.value


async def test_a_mail_says_what_the_message_says_to_one_person() -> None:
    async with mail_server() as server:
        await sender(server).send(MESSAGE, NOW)

    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == (FROM, ("lee@example.com",))
    assert mail.content["Subject"] == MESSAGE.headline
    assert mail.content["To"] == "Lee <lee@example.com>"
    assert mail.content["From"] == f"Countersign <{FROM}>"
    assert mail.content["Date"].datetime == NOW.replace(microsecond=0)
    assert mail.content["Auto-Submitted"] == "auto-generated"
    assert mail.content.get_content_type() == "text/plain"
    assert mail.text.splitlines() == [*MESSAGE.text.splitlines(), "", MESSAGE.link]


async def test_the_same_message_sent_again_has_the_same_message_id() -> None:
    async with mail_server() as server:
        await sender(server).send(MESSAGE, NOW)
        await sender(server).send(MESSAGE, NOW + timedelta(hours=1))

    first, second = (mail.content["Message-ID"] for mail in server.mails)
    assert first == second == f"<{MESSAGE.id}@example.com>"


@pytest.mark.parametrize("title", HOSTILE)
async def test_no_title_and_no_name_adds_a_header_or_a_recipient(title: str) -> None:
    async with mail_server() as server:
        await sender(server).send(about(title, to=Addressee(name=title, email="lee@example.com")), NOW)

    (mail,) = server.mails
    assert mail.recipients == ("lee@example.com",)
    assert sorted(mail.content.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ]
    )
    assert mail.content["Subject"].isprintable()
    assert [address.addr_spec for address in mail.content["To"].addresses] == ["lee@example.com"]
    assert mail.text.splitlines() == [*about(title).text.splitlines(), "", MESSAGE.link]


@pytest.mark.parametrize(
    "email", ["lee@example.com\r\nDATA", "a b@example.com", "lee", "@", "a@b@c", "lee@", ""]
)
async def test_what_is_no_address_is_not_written_to(email: str) -> None:
    async with mail_server() as server:
        failure = await undelivered(sender(server), about("x", to=Addressee(name="Lee", email=email)))

    assert failure.permanent
    assert server.mails == []


@pytest.mark.parametrize(("code", "permanent"), [(550, True), (501, True), (450, False), (421, False)])
async def test_a_refused_recipient_is_permanent_if_the_server_says_so(code: int, permanent: bool) -> None:  # noqa: FBT001
    async with mail_server() as server:
        server.to_recipient = lambda address: f"{code} {address} is none of ours, example.com"
        failure = await undelivered(sender(server))

    assert failure.permanent is permanent
    assert str(failure) == f"the mail server answered {code}"


@pytest.mark.parametrize(("answer", "permanent"), [("554 spam", True), ("452 full", False)])
async def test_a_refused_mail_is_permanent_if_the_server_says_so(answer: str, permanent: bool) -> None:  # noqa: FBT001
    async with mail_server() as server:
        server.after_data = answer
        failure = await undelivered(sender(server))

    assert failure.permanent is permanent


async def test_nobody_there_is_worth_another_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        failure = await undelivered(sender(port=taken.getsockname()[1]))

    assert not failure.permanent
    assert str(failure) == "no answer: SMTPConnectError"


async def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async with mail_server() as server:
        server.after_data = None
        failure = await undelivered(sender(server, within=timedelta(milliseconds=300)))

    assert server.came.is_set()
    assert not failure.permanent


async def test_a_server_that_takes_its_time_over_each_command_is_given_up_in_time() -> None:
    """Each command is in time by itself; the cap is over the whole."""
    async with mail_server() as server:
        server.pause = 0.4
        failure = await undelivered(sender(server, within=timedelta(seconds=1)))

    assert str(failure) == "no answer: TimeoutError"


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_a_mail_goes_protected_and_signed_in(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with mail_server(starttls=tls is Tls.STARTTLS, tls=tls is Tls.TLS) as server:
        signing_in = {"username": USERNAME, "password": PASSWORD} if tls is Tls.STARTTLS else {}
        await sender(server, host="localhost", tls=tls, **signing_in).send(MESSAGE, NOW)

    assert len(server.mails) == 1
    assert server.signed_in == ([USERNAME] if signing_in else [])  # it offers that after STARTTLS alone


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_a_certificate_that_nobody_vouches_for_gets_no_mail(tls: Tls) -> None:
    async with mail_server(starttls=tls is Tls.STARTTLS, tls=tls is Tls.TLS) as server:
        failure = await undelivered(sender(server, host="localhost", tls=tls))

    assert not failure.permanent
    assert server.mails == []


async def test_a_server_without_starttls_gets_no_mail_and_no_password() -> None:
    async with mail_server() as server:
        failure = await undelivered(sender(server, tls=Tls.STARTTLS, username=USERNAME, password=PASSWORD))

    assert not failure.permanent
    assert (server.mails, server.signed_in) == ([], [])


async def test_a_refused_sign_in_says_nothing_of_the_mail_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with mail_server(starttls=True) as server:
        failure = await undelivered(
            sender(server, host="localhost", tls=Tls.STARTTLS, username=USERNAME, password="wrong")
        )

    assert not failure.permanent
    assert str(failure) == "the mail server refused the sign-in: 535"


def test_a_sender_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(sender(username=USERNAME, password=PASSWORD))
