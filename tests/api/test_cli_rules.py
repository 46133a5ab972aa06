"""`countersign rules`: what is wrong with a table, why a case was judged so, what a change would change."""

import json
from pathlib import Path

from graphs.catalogue import all_tables, find_kits
from graphs.roles import read_text
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door
from tests.house import House

RULES = read_text("graphs.refund", "rules.yaml")


def table(folder: Path, *edits: tuple[str, str]) -> Path:
    """The refund's table in a file, edited."""
    text = RULES
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


STRICTER = (
    ("{below: 50.00 EUR}", "{below: 20.00 EUR}"),
    ("[50.00 EUR", "[20.00 EUR"),
    ("29.90", "19.90"),
    ("49.99 EUR, window_total: 49.99", "19.99 EUR, window_total: 19.99"),
)


async def test_the_shipped_tables_have_nothing_wrong_with_them() -> None:
    done = await countersign("rules", "lint", env={})

    assert (done.code, done.err) == (0, "")
    linted = [line.split(":")[0] for line in done.out.splitlines()]
    files = [(table.package.replace(".", "/"), table.file) for table in all_tables(find_kits())]
    assert linted == [f"{folder}/{file}" for folder, file in files]
    assert {"graphs/refund/rules.yaml", "graphs/triage/rules.yaml"} <= set(linted)


async def test_everything_that_is_wrong_with_a_table_is_said_and_the_exit_code_is_1(tmp_path: Path) -> None:
    path = table(tmp_path, ("by: [support_lead]", "by: [support_laed]"), ("[50.00 EUR", "[50.01 EUR"))

    done = await countersign("rules", "lint", path, env={})

    assert (done.code, done.out) == (1, "")
    assert "support_laed" in done.err
    assert "no row says anything where" in done.err
    assert all(line.startswith(f"{path}: ") for line in done.err.splitlines())


async def test_what_is_no_table_of_any_workflow_is_one_clear_line(tmp_path: Path) -> None:
    path = table(tmp_path, ("tool: payments.refund", "tool: payments.steal"))

    done = await countersign("rules", "lint", path, env={})

    assert done.code == 1
    assert "payments.steal" in done.complaint


async def test_a_difference_is_told_row_by_row_and_on_the_cases_that_were_judged(
    house: House, settings: Settings, tmp_path: Path
) -> None:
    small = await house.after("clean_29_90_1")
    await house.after("clean_120_00_1")
    (old := tmp_path / "old").mkdir()
    env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}

    done = await countersign(
        "rules", "diff", table(old), table(tmp_path, *STRICTER), "--on-history", "--json", env=env
    )

    told = json.loads(done.out)
    touched = {f"row RF-{n}" for n in (81, 82, 83, 84, 85, 91)}
    assert {change["where"] for change in told["changes"]} == touched
    assert told["judged"] == 3
    assert {case["case"] for case in told["cases"]} == {small.id}
    assert {(case["before"]["outcome"], case["after"]["outcome"]) for case in told["cases"]} == {
        ("allow", "review")
    }


async def test_only_windows_that_the_record_holds_are_judged_again_and_only_tables_of_one_tool(
    house: House, settings: Settings, tmp_path: Path
) -> None:
    for scene in ("many_small_01", "many_small_02"):
        await house.after(scene)
    env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}
    for folder in ("longer", "shorter", "reply"):
        (tmp_path / folder).mkdir()
    shorter = table(tmp_path / "shorter", ("per: customer, over: 24h", "per: customer, over: 1m"))
    longer = table(tmp_path / "longer", ("per: customer, over: 24h", "per: customer, over: 48h"))
    reply = tmp_path / "reply" / "reply.yaml"
    reply.write_text(read_text("graphs.refund", "reply.yaml"), encoding="utf-8")
    shipped = table(tmp_path)

    compared = await countersign("rules", "diff", shipped, longer, env={})
    on_record = await countersign("rules", "diff", shipped, longer, "--on-history", env=env)
    judged = await countersign("rules", "diff", shipped, shorter, "--on-history", "--json", env=env)
    another = await countersign("rules", "diff", shipped, reply, env={})

    assert (compared.code, compared.out) == (
        0,
        (
            "window window_total: sum of amount per customer over 1 day, 0:00:00"
            " -> sum of amount per customer over 2 days, 0:00:00\n"
        ),
    )
    assert (on_record.code, another.code) == (1, 1)
    assert "windows: window_total: the record does not hold what it measures" in on_record.complaint
    assert json.loads(judged.out)["judged"] > 0
    assert str(reply) in another.err


async def test_a_verdict_is_explained_with_every_row_and_what_it_saw(door: Door, settings: Settings) -> None:
    case_id = await door.opened("fraud_customer")
    await door.house.work()
    env = {
        "COUNTERSIGN_URL": str(door.http.base_url),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_TOKEN": door.tokens["lee"],
    }

    done = await countersign("rules", "explain", case_id, env=env)

    assert done.code == 0
    assert "payments.refund: investigate (fraud_signal)" in done.out
    assert "RF-10    matched; saw fraud_signals = 1" in done.out
    assert "RF-20    not: customer_status is closed; saw customer_status = active" in done.out
    verdicts = (await door.get("lee", f"/cases/{case_id}/verdicts"))["items"]
    assert [(one["stage"], one["row"]) for one in verdicts] == [("proposal", "RF-10")]
    assert len(verdicts[0]["trace"]) == RULES.count("  - id: ")
    assert set(verdicts[0]["facts"]) >= {"amount", "window_total", "fraud_signals"}
