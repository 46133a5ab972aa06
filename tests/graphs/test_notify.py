"""The notify file: what it says is taken as it is written, and each mistake in it is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkpoints.audit import NOTIFIED
from graphs.notify import SILENT, ChannelKind, NotifyFileUnfit, read_notify
from graphs.settings import Settings
from graphs.wiring import open_parts
from graphs.wording import HEADLINES
from tools.notices.slack import SlackSender
from tools.notices.smtp import SmtpSender, Tls
from tools.notices.webhook import WebhookSender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROOM = "https://hooks.slack.example.com/services/T0/B0/xyz"
ENVIRONMENT = {
    "SMTP_PASSWORD": "hunter2",
    "OPS_SECRET": SECRET,
    "ROOM_URL": ROOM,
    "EMPTY": "",
    "HTTP": "http://x.y/",
}
MAIL = """
  - name: mail
    kind: smtp
    host: smtp.example.com
    from: countersign@example.com
    username: countersign
    password_env: SMTP_PASSWORD
    kinds: [review.opened, review.reminded]
"""
OPS = """
  - name: ops
    kind: webhook
    url: https://ops.example.com/in?team=1
    secret_env: OPS_SECRET
    workflows: [refund]
"""
LOUNGE = """
  - name: room
    kind: slack
    url_env: ROOM_URL
"""
WHOLE = f"public_url: https://countersign.example.com/\nchannels: {MAIL}{OPS}{LOUNGE}"


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "notify.yaml"
    path.write_text(text, encoding="utf-8")
    return read_notify(path, ENVIRONMENT, ["refund", "vendor"])


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    notify = read(tmp_path, WHOLE)

    assert (notify.public_url, notify.attempts, notify.reminders_per_hour) == (
        "https://countersign.example.com",
        8,
        20,
    )
    mail, ops, room = notify.channels
    assert [channel.kind for channel in notify.channels] == list(ChannelKind)
    assert isinstance(mail.sender, SmtpSender)
    assert (mail.sender.port, mail.sender.tls, mail.sender.password) == (587, Tls.STARTTLS, "hunter2")
    assert mail.kinds == {"review.opened", "review.reminded"}
    assert isinstance(ops.sender, WebhookSender)
    assert str(ops.sender.endpoint.url) == "https://ops.example.com/in?team=1"
    assert isinstance(room.sender, SlackSender)
    assert str(room.sender.endpoint.url) == ROOM
    assert room.kinds == set(NOTIFIED)


def test_a_channel_carries_what_it_lists(tmp_path: Path) -> None:
    mail, ops, room = read(tmp_path, WHOLE).channels

    assert mail.carries("review.opened", "vendor")
    assert not mail.carries("review.rejected", "refund")
    assert ops.carries("review.rejected", "refund")
    assert not ops.carries("review.rejected", "vendor")
    assert room.carries("review.rejected", "vendor")


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    assert read_notify(None, {}, []) is SILENT
    assert read_notify(tmp_path / "notify.yaml", {}, []) is SILENT


def test_it_lies_in_the_home_unless_the_environment_says_otherwise() -> None:
    assert Settings.from_environment({"COUNTERSIGN_HOME": "/h"}).notify_file == Path("/h/notify.yaml")
    named = Settings.from_environment({"COUNTERSIGN_HOME": "/h", "COUNTERSIGN_NOTIFY": "/etc/n.yaml"})
    assert named.notify_file == Path("/etc/n.yaml")


def test_every_kind_that_is_told_has_its_words() -> None:
    assert set(HEADLINES) == set(NOTIFIED)


def instead(old: str, new: str) -> str:
    """The whole file with something else in it."""
    assert old in WHOLE
    return WHOLE.replace(old, new)


def with_mail(line: str) -> str:
    """The whole file with one more line about the mail."""
    return instead("    host: smtp", f"    {line}\n    host: smtp")


MISTAKES = {
    "nothing": ("", "valid dictionary"),
    "a list": ("[]", "valid dictionary"),
    "no YAML": ("channels: [", "cannot be read: line "),
    "a key twice": ("public_url: https://a.b\npublic_url: https://a.b\nchannels: []", "said twice"),
    "no address of our own": (f"channels: {OPS}", "public_url: Field required"),
    "an unknown field": (f"{WHOLE}\nretries: 3", "retries: Extra inputs"),
    "our own address in clear": (
        instead("https://countersign", "http://countersign"),
        "public_url: An address",
    ),
    "our own address with a query": (instead(".com/\n", ".com/?a=1\n"), "public_url: links begin with it"),
    "an unknown kind of channel": (instead("kind: smtp", "kind: fax"), "channels.0: Input tag 'fax'"),
    "a channel of no kind": (instead("    kind: smtp\n", ""), "channels.0: Unable to extract tag"),
    "a field of another kind": (f"{WHOLE}    host: x\n", "channels.2.slack.host: Extra inputs"),
    "a name twice": (instead("name: ops", "name: mail"), "mail is there twice"),
    "a name that is none": (
        instead("name: ops", "name: Ops!"),
        "channels.1.webhook.name: String should match",
    ),
    "an unknown event": (instead("review.reminded]", "review.remined]"), "nobody is told of review.remined"),
    "no event at all": (
        instead("[review.opened, review.reminded]", "[]"),
        "channels.0.smtp.kinds: List should",
    ),
    "an unknown workflow": (instead("[refund]", "[refnd]"), "channels.1.workflows: refnd is none; there are"),
    "a port out of range": (with_mail("port: 99999"), "channels.0.smtp.port: Input should"),
    "a host that is an address": (
        instead("host: smtp.", "host: https://smtp."),
        "channels.0.smtp.host: String",
    ),
    "a sender that is none": (
        instead("from: countersign@", "from: countersign at "),
        "channels.0.smtp.from: String",
    ),
    "a sender that is two lines": (
        instead("from: countersign@example.com", 'from: "a@b.c\\nBcc: d@e.f"'),
        "channels.0.smtp.from: String",
    ),
    "mail in clear": (with_mail("tls: none"), "channels.0.smtp: Value error, tls: none is for"),
    "a protection that is none": (with_mail("tls: maybe"), "channels.0.smtp.tls: Input"),
    "a password without a name": (
        instead("    username: countersign\n", ""),
        "username and password_env are given together",
    ),
    "a password in clear": (
        instead("password_env: SMTP_PASSWORD", "password: hunter2"),
        "channels.0.smtp.password: Extra inputs",
    ),
    "a password that is not set": (
        instead("SMTP_PASSWORD", "SMTP_PASWORD"),
        "channels.0.password_env: the variable SMTP_PASWORD is not set",
    ),
    "a secret that is not set": (
        instead("OPS_SECRET", "EMPTY"),
        "channels.1.secret_env: the variable EMPTY is not set",
    ),
    "a secret that is none": (
        instead("OPS_SECRET", "SMTP_PASSWORD"),
        "channels.1.secret_env: A webhook's secret",
    ),
    "a secret in clear": (
        instead("secret_env: OPS_SECRET", f"secret_env: OPS_SECRET\n    secret: {SECRET}"),
        "channels.1.webhook.secret: Extra inputs",
    ),
    "a secret in the place of its name": (
        instead("OPS_SECRET", SECRET.replace("_", "/")),
        "channels.1.webhook.secret_env: String should match",
    ),
    "a webhook in clear": (instead("https://ops", "http://ops"), "channels.1.url: An address must be https"),
    "a room in clear": (instead("ROOM_URL", "HTTP"), "channels.2.url_env: An address must be https"),
    "a room that is not set": (
        instead("ROOM_URL", "ROOM"),
        "channels.2.url_env: the variable ROOM is not set",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_line_with_file_and_field_and_no_secret(tmp_path: Path, mistake: str) -> None:
    text, says = MISTAKES[mistake]
    with pytest.raises(NotifyFileUnfit) as refused:
        read(tmp_path, text)

    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'notify.yaml'}")
    assert says in message
    assert "\n" not in message
    for secret in ("hunter2", SECRET, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "services/T0"):
        assert secret not in message


def test_mail_to_a_server_of_this_machine_may_go_in_clear(tmp_path: Path) -> None:
    notify = read(tmp_path, with_mail("tls: none").replace("smtp.example.com", "127.0.0.1"))

    assert notify.channels[0].sender.tls is Tls.NONE


def test_a_file_that_is_no_text_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "notify.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(NotifyFileUnfit, match="cannot be read"):
        read_notify(path, {}, [])


async def test_countersign_does_not_start_on_a_file_with_a_mistake(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"public_url": "https://a.b", "channels": [{"kind": "fax"}]}))
    with pytest.raises(NotifyFileUnfit, match=r"wrong\.yaml: channels\.0"):
        async with open_parts(replace(settings, notify_file=path)):
            pass
