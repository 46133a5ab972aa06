"""Settings: read once from the environment, at the edge."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What can be configured; every name is an environment variable.

    Attributes:
        database_url: `DATABASE_URL`, a Postgres address; without it the embedded Postgres is started.
        home: `COUNTERSIGN_HOME`, where the embedded Postgres and the people file live.
        people_file: `COUNTERSIGN_PEOPLE`, who may sign in and as what.
        model: `COUNTERSIGN_MODEL`, such as `openai:gpt-5.5`; without it agents run their playbooks.
        sandbox_url: `COUNTERSIGN_SANDBOX_URL`, the business database; beside ours if not set.
        notify_file: `COUNTERSIGN_NOTIFY`, over which channels people and systems are told; None is over none.
        log_key: `COUNTERSIGN_LOG_KEY`, the key that the audit log's heads are signed with, which then must be
            there; without it `log.key` in the home, made on first use.
        anchors: `COUNTERSIGN_ANCHOR`, comma-separated addresses where signed heads are put.
    """

    database_url: str | None = None
    home: Path
    people_file: Path
    model: str | None = None
    sandbox_url: str | None = None
    notify_file: Path | None = None
    log_key: Path | None = None
    anchors: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings that the environment gives."""
        env = os.environ if environment is None else environment
        home = Path(env.get("COUNTERSIGN_HOME") or Path.home() / ".countersign")
        return cls(
            database_url=env.get("DATABASE_URL") or None,
            home=home,
            people_file=Path(env.get("COUNTERSIGN_PEOPLE") or home / "people.yaml"),
            model=env.get("COUNTERSIGN_MODEL") or None,
            sandbox_url=env.get("COUNTERSIGN_SANDBOX_URL") or None,
            notify_file=Path(env.get("COUNTERSIGN_NOTIFY") or home / "notify.yaml"),
            log_key=Path(env["COUNTERSIGN_LOG_KEY"]) if env.get("COUNTERSIGN_LOG_KEY") else None,
            anchors=env.get("COUNTERSIGN_ANCHOR") or None,
        )
