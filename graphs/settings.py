"""Settings: read once from the environment, at the edge."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

MOST_CALLS = 10_000_000
HOSTED = "https://api.smith.langchain.com"
USUAL_PRUNING = timedelta(days=7)
_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_DAYS = re.compile(r"[0-9]{1,5}d")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracing:
    """Whether and where traces go; nowhere without both a wish and a key.

    Attributes:
        asked: `LANGSMITH_TRACING` is `true`.
        api_key: `LANGSMITH_API_KEY`.
        endpoint: `LANGSMITH_ENDPOINT`; LangSmith's own cloud if not set.
        project: `LANGSMITH_PROJECT`; `default` if not set.
    """

    asked: bool = False
    api_key: str | None = field(default=None, repr=False)
    endpoint: str = HOSTED
    project: str = "default"

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Tracing":
        """As LangSmith's own client reads these, quotes and the older `LANGCHAIN_…` names included."""
        return cls(
            asked=_unquoted(env.get("LANGSMITH_TRACING")).lower() == "true",
            api_key=_unquoted(env.get("LANGSMITH_API_KEY")) or None,
            endpoint=_either(env, "ENDPOINT").rstrip("/") or HOSTED,
            project=_either(env, "PROJECT") or "default",
        )


def _either(env: Mapping[str, str], name: str) -> str:
    return _unquoted(env.get(f"LANGSMITH_{name}")) or _unquoted(env.get(f"LANGCHAIN_{name}"))


def _unquoted(value: str | None) -> str:
    return (value or "").strip().strip("\"'").strip()


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


class SettingUnfit(Exception):
    """An environment variable is not what it must be."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many calls a minute are let in; as many may come at once."""

    per_minute: int

    @classmethod
    def read(cls, env: Mapping[str, str], name: str, usual: "Rate") -> "Rate":
        """From a whole number above 0; raises SettingUnfit."""
        return cls(_many(env, name, usual.per_minute, "calls a minute"))


def _many(env: Mapping[str, str], name: str, usual: int, what: str) -> int:
    """A whole number above 0; raises SettingUnfit."""
    text = (env.get(name) or str(usual)).strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MOST_CALLS):
        raise SettingUnfit(f"{name}: {what}, a whole number from 1 to {MOST_CALLS}")
    return int(text)


def _by_workflow(env: Mapping[str, str], name: str) -> dict[str, int]:
    """Numbers by workflow, such as `vendor=2,incident=4`; raises SettingUnfit."""
    found: dict[str, int] = {}
    for part in _listed(env.get(name)):
        workflow, _, number = (piece.strip() for piece in part.partition("="))
        if not workflow or workflow in found or not _COUNT.fullmatch(number):
            raise SettingUnfit(f"{name}: numbers by workflow, such as vendor=2,incident=4")
        found[workflow] = int(number)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """How many new cases may wait for a worker: of all workflows together, and of one."""

    most: int = 2_000
    most_of_one: int = 1_000


USUAL_ROOM = Room()
USUAL_LINES = 16


def _days(env: Mapping[str, str], name: str, usual: timedelta) -> timedelta:
    """A number of days such as `7d`; raises SettingUnfit."""
    text = (env.get(name) or f"{usual.days}d").strip()
    if not _DAYS.fullmatch(text):
        raise SettingUnfit(f"{name}: days, such as {usual.days}d")
    return timedelta(days=int(text[:-1]))


USUAL_OF_A_PRINCIPAL, USUAL_OF_AN_ADDRESS = Rate(6_000), Rate(30_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What can be configured; every name is an environment variable.

    Attributes:
        database_url: `DATABASE_URL`, a Postgres address; without it the embedded Postgres is started.
        migrate_url: `COUNTERSIGN_MIGRATE_URL`, the same database as the role that owns it, only to migrate.
        home: `COUNTERSIGN_HOME`, where the embedded Postgres and the people file live.
        people_file: `COUNTERSIGN_PEOPLE`, who may sign in and as what.
        workflows: `COUNTERSIGN_WORKFLOWS`, comma-separated packages with workflows beside the shipped ones.
        model: `COUNTERSIGN_MODEL`, such as `openai:gpt-5.5`; without it agents run their playbooks.
        sandbox_url: `COUNTERSIGN_SANDBOX_URL`, the business database; beside ours if not set.
        notify_file: `COUNTERSIGN_NOTIFY`, over which channels people and systems are told; None is over none.
        tools_file: `COUNTERSIGN_TOOLS`, which systems outside have tools for us; None is none.
        retention_file: `COUNTERSIGN_RETENTION`, how long personal data is kept; None is six months.
        prune_after: `COUNTERSIGN_PRUNE_AFTER`, how long after its end a case keeps its checkpoints.
        triggers_file: `COUNTERSIGN_TRIGGERS`, which tables and folders cases begin from; None is from none.
        tracing: `LANGSMITH_…`, where traces of the work go.
        log_key: `COUNTERSIGN_LOG_KEY`, the key that the audit log's heads are signed with, which then must be
            there; without it `log.key` in the home, made on first use.
        anchors: `COUNTERSIGN_ANCHOR`, comma-separated addresses where signed heads are put.
        anchor_private: `COUNTERSIGN_ANCHOR_PRIVATE`, comma-separated hosts of anchors that may be at an
            address of this machine or network.
        principal_rate: `COUNTERSIGN_RATE_PRINCIPAL`, calls of the API a minute by one principal.
        address_rate: `COUNTERSIGN_RATE_ADDRESS`, the same by one address.
        room: `COUNTERSIGN_WAITING` and `COUNTERSIGN_WAITING_WORKFLOW`, new cases that may wait for a worker.
        lines: `COUNTERSIGN_CONNECTOR_CALLS`, calls of one connector by one process at once.
        seats: `COUNTERSIGN_SEATS`, cases of a workflow that may be worked on at once; else no bound.
    """

    database_url: str | None = None
    migrate_url: str | None = None
    home: Path
    people_file: Path
    workflows: tuple[str, ...] = ()
    model: str | None = None
    sandbox_url: str | None = None
    notify_file: Path | None = None
    tools_file: Path | None = None
    retention_file: Path | None = None
    prune_after: timedelta = USUAL_PRUNING
    triggers_file: Path | None = None
    tracing: Tracing = Tracing()
    log_key: Path | None = None
    anchors: str | None = None
    anchor_private: tuple[str, ...] = ()
    principal_rate: Rate = USUAL_OF_A_PRINCIPAL
    address_rate: Rate = USUAL_OF_AN_ADDRESS
    room: Room = USUAL_ROOM
    lines: int = USUAL_LINES
    seats: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings that the environment gives."""
        env = os.environ if environment is None else environment
        home = Path(env.get("COUNTERSIGN_HOME") or Path.home() / ".countersign")
        return cls(
            database_url=env.get("DATABASE_URL") or None,
            migrate_url=env.get("COUNTERSIGN_MIGRATE_URL") or None,
            home=home,
            people_file=Path(env.get("COUNTERSIGN_PEOPLE") or home / "people.yaml"),
            workflows=_listed(env.get("COUNTERSIGN_WORKFLOWS")),
            model=env.get("COUNTERSIGN_MODEL") or None,
            sandbox_url=env.get("COUNTERSIGN_SANDBOX_URL") or None,
            retention_file=Path(env.get("COUNTERSIGN_RETENTION") or home / "retention.yaml"),
            prune_after=_days(env, "COUNTERSIGN_PRUNE_AFTER", USUAL_PRUNING),
            tools_file=Path(env.get("COUNTERSIGN_TOOLS") or home / "tools.yaml"),
            triggers_file=Path(env.get("COUNTERSIGN_TRIGGERS") or home / "triggers.yaml"),
            notify_file=Path(env.get("COUNTERSIGN_NOTIFY") or home / "notify.yaml"),
            tracing=Tracing.from_environment(env),
            log_key=Path(env["COUNTERSIGN_LOG_KEY"]) if env.get("COUNTERSIGN_LOG_KEY") else None,
            anchors=env.get("COUNTERSIGN_ANCHOR") or None,
            anchor_private=_listed(env.get("COUNTERSIGN_ANCHOR_PRIVATE")),
            principal_rate=Rate.read(env, "COUNTERSIGN_RATE_PRINCIPAL", USUAL_OF_A_PRINCIPAL),
            address_rate=Rate.read(env, "COUNTERSIGN_RATE_ADDRESS", USUAL_OF_AN_ADDRESS),
            room=Room(
                most=_many(env, "COUNTERSIGN_WAITING", USUAL_ROOM.most, "cases"),
                most_of_one=_many(env, "COUNTERSIGN_WAITING_WORKFLOW", USUAL_ROOM.most_of_one, "cases"),
            ),
            lines=_many(env, "COUNTERSIGN_CONNECTOR_CALLS", USUAL_LINES, "calls at once"),
            seats=_by_workflow(env, "COUNTERSIGN_SEATS"),
        )
