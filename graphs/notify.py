"""Over which channels people and systems are told: read from YAML, refused if anything about it is odd."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, model_validator

from checkpoints.audit import NOTIFIED
from graphs.operators_file import Variable, read_file
from tools.notices.endpoint import Endpoint
from tools.notices.message import Sender
from tools.notices.slack import SlackSender
from tools.notices.smtp import SmtpSender, Tls
from tools.notices.webhook import WebhookSender, signer_of
from tools.outside.addresses import fit_address, is_loopback

WITHIN = timedelta(seconds=15)
"""The longest that one sending may take."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]


class NotifyFileUnfit(Exception):
    """The notify file cannot be used; the message names the file and the field."""


class ChannelKind(StrEnum):
    """How a channel reaches somebody."""

    SMTP = "smtp"
    WEBHOOK = "webhook"
    SLACK = "slack"


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """A way out, and which events take it."""

    name: str
    kind: ChannelKind
    kinds: frozenset[str]
    workflows: frozenset[str] | None
    sender: Sender

    def carries(self, kind: str, workflow: str) -> bool:
        """Whether events of this kind in this workflow take this channel."""
        return kind in self.kinds and (self.workflows is None or workflow in self.workflows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notify:
    """How Countersign tells the world outside.

    Attributes:
        public_url: where people open Countersign; links begin with it.
        attempts: how often one delivery is tried before it is given up.
        reminders_per_hour: how many reminders one recipient gets over one channel at most.
    """

    public_url: str
    channels: tuple[Channel, ...]
    attempts: int
    reminders_per_hour: int


SILENT = Notify(public_url="", channels=(), attempts=1, reminders_per_hour=0)
"""Nobody is told."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Channel(_Strict):
    name: Name
    kinds: Annotated[list[str], Field(min_length=1)] = list(NOTIFIED)
    workflows: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _known_kinds(self) -> "_Channel":
        if unknown := set(self.kinds) - set(NOTIFIED):
            raise ValueError(f"nobody is told of {', '.join(sorted(unknown))}; kinds: {', '.join(NOTIFIED)}")
        return self


class _Smtp(_Channel):
    kind: Literal[ChannelKind.SMTP]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Tls = Tls.STARTTLS
    mailbox: Annotated[str, Field(alias="from", pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,250}$")]
    username: str | None = None
    password_env: Variable | None = None

    @model_validator(mode="after")
    def _protected(self) -> "_Smtp":
        if self.tls is Tls.NONE and not is_loopback(self.host):
            raise ValueError("tls: none is for a mail server on this machine")
        if (self.username is None) != (self.password_env is None):
            raise ValueError("username and password_env are given together")
        return self


class _Posted(_Channel):
    """What is posted by HTTP: to a host of this machine or network only where that is said."""

    allow_private: Annotated[bool, Field(strict=True)] = False


class _Webhook(_Posted):
    kind: Literal[ChannelKind.WEBHOOK]
    url: str
    secret_env: Variable


class _Slack(_Posted):
    kind: Literal[ChannelKind.SLACK]
    url_env: Variable


_AnyChannel = Annotated[_Smtp | _Webhook | _Slack, Field(discriminator="kind")]


class _NotifyFile(_Strict):
    public_url: str
    attempts: Annotated[int, Field(ge=1, le=20)] = 8
    reminders_per_hour: Annotated[int, Field(ge=1, le=1000)] = 20
    channels: list[_AnyChannel]

    @model_validator(mode="after")
    def _no_name_twice(self) -> "_NotifyFile":
        names = [channel.name for channel in self.channels]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"channels: {', '.join(sorted(doubled))} is there twice")
        return self


def read_notify(path: Path | None, environment: Mapping[str, str], workflows: Collection[str]) -> Notify:
    """What the notify file says, nothing without one; secrets come from the environment.

    Raises:
        NotifyFileUnfit: the file is odd, or a variable that it names is not there or does not fit.
    """
    content = read_file(path, _NotifyFile, NotifyFileUnfit)
    if path is None or content is None:
        return SILENT
    reading = _Reading(str(path), environment, workflows)
    return Notify(
        public_url=reading.public(content.public_url),
        channels=tuple(
            reading.channel(item, f"channels.{place}") for place, item in enumerate(content.channels)
        ),
        attempts=content.attempts,
        reminders_per_hour=content.reminders_per_hour,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the file's shape alone cannot say: variables, addresses, workflows."""

    source: str
    environment: Mapping[str, str]
    workflows: Collection[str]

    def channel(self, item: _AnyChannel, place: str) -> Channel:
        unknown = set(item.workflows or ()) - set(self.workflows)
        if unknown:
            known = ", ".join(sorted(self.workflows))
            raise self._unfit(
                f"{place}.workflows", f"{', '.join(sorted(unknown))} is none; there are {known}"
            )
        return Channel(
            name=item.name,
            kind=item.kind,
            kinds=frozenset(item.kinds),
            workflows=None if item.workflows is None else frozenset(item.workflows),
            sender=self._sender(item, place),
        )

    def public(self, text: str) -> str:
        address = self.address(text, "public_url").rstrip("/")
        if "?" in address:
            raise self._unfit("public_url", "links begin with it, so that it has no query")
        return address

    def address(self, text: str, place: str) -> str:
        try:
            return str(fit_address(text))
        except ValueError as error:
            raise self._unfit(place, str(error)) from error

    def _sender(self, item: _AnyChannel, place: str) -> Sender:
        match item:
            case _Smtp():
                return self._smtp(item, place)
            case _Webhook():
                endpoint = self._endpoint(item, item.url, f"{place}.url")
                secret = self._variable(item.secret_env, f"{place}.secret_env")
                try:
                    return WebhookSender(endpoint=endpoint, signer=signer_of(secret))
                except ValueError as error:
                    raise self._unfit(f"{place}.secret_env", str(error)) from error
            case _Slack():
                url = self._variable(item.url_env, f"{place}.url_env")
                return SlackSender(endpoint=self._endpoint(item, url, f"{place}.url_env"))
            case _:
                assert_never(item)

    def _endpoint(self, item: _Posted, url: str, place: str) -> Endpoint:
        return Endpoint.at(self.address(url, place), WITHIN, allow_private=item.allow_private)

    def _smtp(self, item: _Smtp, place: str) -> SmtpSender:
        named = item.password_env
        return SmtpSender(
            host=item.host,
            port=item.port,
            tls=item.tls,
            mailbox=item.mailbox,
            username=item.username,
            password=None if named is None else self._variable(named, f"{place}.password_env"),
            within=WITHIN,
        )

    def _variable(self, name: str, place: str) -> str:
        value = self.environment.get(name)
        if not value:
            raise self._unfit(place, f"the variable {name} is not set")
        return value

    def _unfit(self, place: str, why: str) -> NotifyFileUnfit:
        return NotifyFileUnfit(f"{self.source}: {place}: {why}")
