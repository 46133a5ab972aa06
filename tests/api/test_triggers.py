"""/triggers and `countersign triggers`: how each trigger stands, for people, from what is stored."""

import json
from pathlib import Path

from api.serve import serving
from graphs.settings import Settings
from graphs.triggers import trigger_rounds
from graphs.wiring import Parts
from tests.api.command import countersign
from tests.api.door import Door, problem
from tests.graphs.triggering import TABLE, folder_entry, triggered


async def test_each_trigger_is_shown_with_its_state(
    parts: Parts, settings: Settings, tmp_path: Path, door: Door
) -> None:
    missing = TABLE | {"table": "nothing"}
    entries = {"tables": [missing], "folders": [folder_entry(tmp_path)]}
    known = triggered(parts, settings, **entries)
    async with serving(known, host="127.0.0.1", port=0) as url:
        environment = {"COUNTERSIGN_TOKEN": door.tokens["lee"], "COUNTERSIGN_URL": url}
        before = await countersign("triggers", env=environment)
        assert before.out.count("never looked at") == 2, before.err
        async with trigger_rounds(known) as rounds:
            for one in rounds:
                await one.run()
        shown = json.loads((await countersign("triggers", "--json", env=environment)).out)
        lines = (await countersign("triggers", env=environment)).out.splitlines()

    table, folder = shown
    assert (table["name"], table["kind"], table["reason"]) == ("claims", "table", "no_such_table")
    assert table["wake_at"] is not None
    assert (folder["name"], folder["kind"], folder["reason"]) == ("inbox", "folder", None)
    assert folder["looked_at"] is not None
    assert "no_such_table since" in lines[0]
    assert lines[1].startswith("inbox (folder, refund as tills): last look ")


async def test_without_triggers_it_says_so_and_services_do_not_see_them(door: Door) -> None:
    assert (await door.get("lee", "/triggers"))["items"] == []
    problem(await door.ask("shop", "GET", "/triggers"), 403, "forbidden")
