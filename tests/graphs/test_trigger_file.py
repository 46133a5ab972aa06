"""The triggers file: what it says is taken as it is written, and each mistake in it is named."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphs.looks import LEFT_OUT, RIGHTS
from graphs.settings import Settings
from graphs.trigger_file import NO_TRIGGERS, TriggersFileUnfit, read_triggers
from graphs.trigger_words import OTHERWISE, REFUSED, STANDING, why_text
from graphs.wiring import Parts, open_parts

ROOT = Path(__file__).parents[2]
ADDRESS = "postgresql://till:hunter2@db.example.com/shop"
ENVIRONMENT = {
    "SHOP_URL": ADDRESS,
    "EMPTY": "",
    "ODD": "hunter2 and more",
    "NOWHERE": "host=x password=hunter2",
}
WHOLE = """
tables:
  - name: claims
    database: SHOP_URL
    table: sales.claims
    key: claim_id
    order: created_at
    where: {state: new, checked: true, shop: 7, closed_at: null}
    workflow: refund
    data: {order_id: order_no, customer_id: customer, ticket_id: ticket, reason_code: why}
    as: tills
folders:
  - name: inbox
    folder: /var/lib/countersign/inbox
    workflow: refund
    as: tills
"""


def read(parts: Parts, folder: Path, text: str) -> Any:
    path = folder / "triggers.yaml"
    path.write_text(text, encoding="utf-8")
    return read_triggers(path, ENVIRONMENT, parts.workflows)


def test_a_file_is_read_as_it_is_written(parts: Parts, tmp_path: Path) -> None:
    triggers = read(parts, tmp_path, WHOLE)

    (table,), (folder,) = triggers.tables, triggers.folders
    assert (table.name, table.workflow, table.service, table.source) == (
        "claims",
        "refund",
        "tills",
        "/triggers/claims",
    )
    watched = table.watched
    assert (watched.conninfo, watched.table, watched.key, watched.order) == (
        ADDRESS,
        "sales.claims",
        "claim_id",
        "created_at",
    )
    assert watched.where == {"state": "new", "checked": True, "shop": 7, "closed_at": None}
    assert watched.data["order_id"] == "order_no"
    assert folder.inbox.folder == Path("/var/lib/countersign/inbox")
    assert [one.name for one in triggers.all] == ["claims", "inbox"]
    assert "hunter2" not in repr(triggers)


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_triggers(None, {}, {}) is NO_TRIGGERS
    assert read_triggers(tmp_path / "triggers.yaml", {}, {}) is NO_TRIGGERS


def test_it_lies_in_the_home_unless_the_environment_says_otherwise() -> None:
    assert Settings.from_environment({"COUNTERSIGN_HOME": "/h"}).triggers_file == Path("/h/triggers.yaml")
    named = Settings.from_environment({"COUNTERSIGN_HOME": "/h", "COUNTERSIGN_TRIGGERS": "/etc/t.yaml"})
    assert named.triggers_file == Path("/etc/t.yaml")


def test_what_is_watched_is_known_by_its_digest_and_not_by_its_mapping(parts: Parts, tmp_path: Path) -> None:
    before, mapped, elsewhere = (
        read(parts, tmp_path, text).tables[0]
        for text in (WHOLE, instead("why}", "because}"), instead("state: new", "state: old"))
    )
    assert before.rows == mapped.rows != elsewhere.rows
    assert before.digest != mapped.digest


def instead(old: str, new: str) -> str:
    """The whole file with something else in it."""
    assert old in WHOLE
    return WHOLE.replace(old, new)


MISTAKES = {
    "nothing": ("", "valid dictionary"),
    "a list": ("[]", "valid dictionary"),
    "no YAML": ("tables: [", "cannot be read: line "),
    "a key twice": ("tables: []\ntables: []", "said twice"),
    "an unknown section": (f"{WHOLE}\nmails: []", "mails: Extra inputs"),
    "an unknown field": (instead("order: created", "ordr: x\n    order: created"), "tables.0.ordr: Extra"),
    "no key": (instead("    key: claim_id\n", ""), "tables.0.key: Field required"),
    "no order": (instead("    order: created_at\n", ""), "tables.0.order: Field required"),
    "no service": (instead("    as: tills\nfolders", "folders"), "tables.0.as: Field required"),
    "a name that is none": (instead("name: claims", "name: Claims!"), "tables.0.name: String should match"),
    "a name twice": (instead("name: inbox", "name: claims"), "claims is there twice"),
    "a folder twice": (
        WHOLE
        + "  - {name: b, folder: /var/lib/countersign/../countersign/inbox, workflow: refund, as: tills}\n",
        "/var/lib/countersign/inbox is there twice",
    ),
    "a folder from here": (instead("/var/lib", "var/lib"), "folders.0.folder: String should match"),
    "an unknown workflow": (
        instead("workflow: refund\n    data", "workflow: refnd\n    data"),
        "refnd is none",
    ),
    "a folder's unknown workflow": (
        instead("inbox\n    workflow: refund", "inbox\n    workflow: refnd"),
        "folders.0.workflow: refnd is none; there are",
    ),
    "an unknown event field": (
        instead("why}", "why, colour: c}"),
        "tables.0.data: colour is none of the event's fields; there are",
    ),
    "an event field too few": (
        instead(", reason_code: why", ""),
        "tables.0.data: the event needs reason_code",
    ),
    "no data": (
        instead("{order_id: order_no, customer_id: customer, ticket_id: ticket, reason_code: why}", "{}"),
        "tables.0.data: Dictionary should have",
    ),
    "a table of three parts": (instead("sales.claims", "a.b.c"), "tables.0.table: String should match"),
    "a column of two parts": (instead("claim_id", "a.b"), "tables.0.key: String should match"),
    "a value that is a list": (instead("state: new", "state: [new]"), "tables.0.where.state"),
    "a number that is not whole": (instead("shop: 7", "shop: 7.5"), "tables.0.where.shop"),
    "an address in the place of its name": (
        instead("SHOP_URL", ADDRESS),
        "tables.0.database: String should match",
    ),
    "an address that is not set": (
        instead("SHOP_URL", "SHOP"),
        "tables.0.database: the variable SHOP is not set",
    ),
    "an empty address": (instead("SHOP_URL", "EMPTY"), "tables.0.database: the variable EMPTY is not set"),
    "an address that is none": (
        instead("SHOP_URL", "ODD"),
        "tables.0.database: the variable ODD is no database address",
    ),
    "an address without a database": (
        instead("SHOP_URL", "NOWHERE"),
        "tables.0.database: the variable NOWHERE is no database address",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_line_with_file_and_field_and_no_secret(
    parts: Parts, tmp_path: Path, mistake: str
) -> None:
    text, says = MISTAKES[mistake]
    with pytest.raises(TriggersFileUnfit) as refused:
        read(parts, tmp_path, text)

    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'triggers.yaml'}")
    assert says in message
    assert "\n" not in message
    assert "hunter2" not in message


def test_a_file_that_is_no_text_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "triggers.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TriggersFileUnfit, match="cannot be read"):
        read_triggers(path, {}, {})


async def test_countersign_does_not_start_on_a_file_with_a_mistake(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"folders": [{"name": "x"}]}))
    with pytest.raises(TriggersFileUnfit, match=r"wrong\.yaml: folders\.0"):
        async with open_parts(replace(settings, triggers_file=path)):
            pass


# --- words ------------------------------------------------------------------------------------------------


def codes(*paths: str, called: set[str]) -> set[str]:
    """The reason codes that stand as texts in calls of these names."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in called:
                texts = (one for arg in node.args for one in ast.walk(arg) if isinstance(one, ast.Constant))
                found |= {str(one.value) for one in texts if re.fullmatch("[a-z]+(_[a-z]+)*", str(one.value))}
    return found


def test_everything_that_a_trigger_stands_still_of_has_words() -> None:
    readers = ("tools/triggers/table.py", "tools/triggers/folder.py", "graphs/looks.py")
    found = codes(*readers, called={"TriggerTrouble"})
    assert {"database_away", "folder_away", "not_permitted"} <= found
    assert found | LEFT_OUT | RIGHTS <= STANDING.keys()


def test_everything_that_a_trigger_refuses_has_words() -> None:
    found = codes(
        *("graphs/inbox_folders.py", "graphs/watched_tables.py", "graphs/looks.py", "graphs/intake.py"),
        called={"EventRefused"},
    ) | codes("tools/triggers/folder.py", called={"_unread"})
    assert {"wrong_type", "row_unfit", "too_large", "unknown_case", "unforeseen"} <= found
    assert found <= REFUSED.keys()
    assert why_text("something_of_a_system") == f"something_of_a_system: {OTHERWISE}\n"
