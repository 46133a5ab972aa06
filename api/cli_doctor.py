"""`countersign doctor`: whether everything that Countersign stands on is as it must be."""

from typing import Any

import typer

from api.cli_run import Json, start
from api.show import as_json, complain, console, finding_table, say
from graphs.clock import utc_now
from graphs.settings import Settings


def doctor(as_json_: Json = False) -> None:
    """Look at database, migrations, clock, workers, deeds, log and cases; exit code 1 if one is ill."""
    from checkpoints.checkup import Answer, check_up
    from graphs.addresses import addresses

    async def run(settings: Settings) -> list[Answer]:
        async with addresses(settings) as where:
            return await check_up(where.ours, utc_now)

    answers = start(run)
    ill = [one for one in answers if not one.well]
    stuck = [_told(finding) for one in answers for finding in one.stuck]
    if as_json_:
        checks = [{"check": one.question, "well": one.well, "says": one.says} for one in answers]
        as_json({"well": not ill, "checks": checks, "stuck": stuck})
    else:
        for one in answers:
            say(f"{'ok ' if one.well else 'ILL'}  {one.question:<10}  {one.says}")
        if stuck:
            console.print(finding_table(stuck))
        if ill:
            complain(f"countersign: not as it must be: {', '.join(one.question for one in ill)}")
    if ill:
        raise typer.Exit(1)


def _told(finding: Any) -> dict[str, str]:
    return {
        "fault": finding.fault,
        "subject": finding.subject,
        "says": finding.says,
        "to_do": finding.to_do,
    }
