"""The demo: a sandbox company, a day of events over HTTP, people who decide, and a check of it all."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rich.live import Live

from api.client import Client, Problem
from api.demo import accounts, alerts, refunds, tickets, vendors
from api.demo.scenario import Doors, Scenario
from api.serve import serving, until_signal, working
from api.show import console, progress_table, say
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.database import drop_database
from checkpoints.embedded import APPLICATION, embedded_postgres
from checkpoints.log_check import Verification
from graphs.addresses import Addresses, bring_up, kept_running
from graphs.clock import utc_now
from graphs.people import (
    PERSON_PREFIX,
    SERVICE_PREFIX,
    PeopleFile,
    Person,
    Service,
    new_token,
    write_people,
)
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts

_NAMES = ("countersign_demo", "countersign_demo_sandbox")
_LIFE = timedelta(days=1)
_PATIENCE = timedelta(seconds=240)
_REFRESH = timedelta(milliseconds=300)
_AT_REST = frozenset({"closed", "rejected", "escalated", "cancelled", "rolled_back"})

SCENARIOS = (refunds.SCENARIO, accounts.SCENARIO, tickets.SCENARIO, alerts.SCENARIO, vendors.SCENARIO)


async def run_demo(settings: Settings, *, stay: bool) -> list[str]:
    """Run the demo on the embedded database; returns what is not as it should be."""
    async with AsyncExitStack() as stack:
        console.print("[bold]1[/]  Starting Postgres, the API and a worker; making the sandbox company")
        parts, doors = await _open(stack, settings)
        console.print(f"   listening on {doors.url}, the model is {settings.model or 'the playbook'}")
        say(f"   {parts.tracer.where}")
        faults = await _play(parts, doors)
        if stay:
            console.print("\n[bold]The server stays up.[/] In another terminal:")
            say(f"   export COUNTERSIGN_URL={doors.url} COUNTERSIGN_TOKEN={doors.tokens['maya']}")
            say("   countersign cases        (Ctrl-C here ends it)")
            await until_signal()
    return faults


async def _open(stack: AsyncExitStack, settings: Settings) -> tuple[Parts, Doors]:
    server = await stack.enter_async_context(embedded_postgres(settings.home / "postgres"))
    await stack.enter_async_context(kept_running(server))
    await server.create_role()
    for name in _NAMES:
        await drop_database(server.url("postgres"), name)
        await server.create_database(name)
    ours, sandbox = _NAMES
    where = Addresses(ours=server.url(ours, APPLICATION), owner=server.url(ours), sandbox=server.url(sandbox))
    await bring_up(where)
    own = replace(
        settings,
        database_url=where.ours,
        sandbox_url=where.sandbox,
        people_file=settings.home / "demo" / "people.yaml",
        notify_file=None,
        home=settings.home / "demo",  # a log that is thrown away is signed with a key of its own
        log_key=None,
        anchors=None,
    )
    tokens = _make_people(own.people_file)
    parts = await stack.enter_async_context(open_parts(own))
    await stack.enter_async_context(working(parts))
    url = await stack.enter_async_context(serving(parts, host="127.0.0.1", port=0))
    return parts, await stack.enter_async_context(_doors(url, where.sandbox, tokens))


def _make_people(path: Path) -> dict[str, str]:
    now, tokens, content = utc_now(), {}, PeopleFile()
    roles: dict[str, set[str]] = {}
    for scenario in SCENARIOS:
        for name, its in scenario.people.items():
            roles.setdefault(name, set()).update(its)
    for name, held in roles.items():
        tokens[name], kept = new_token(PERSON_PREFIX, _LIFE, now)
        content = content.with_person(Person(id=name, name=name.title(), roles=sorted(held), tokens=[kept]))
    tokens["shop"], kept = new_token(SERVICE_PREFIX, _LIFE, now)
    scopes = ["cases:start", "cases:read"]
    write_people(path, content.with_service(Service(id="shop", name="The shop", scopes=scopes, keys=[kept])))
    return tokens


@asynccontextmanager
async def _doors(url: str, company: str, tokens: dict[str, str]) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(Client(url, token)) for name, token in tokens.items()
        }
        shop = clients.pop("shop")
        yield Doors(url=url, company=company, shop=shop, people=clients, tokens=tokens, began_at=utc_now())


async def _play(parts: Parts, doors: Doors) -> list[str]:
    console.print("[bold]2[/]  Sending what happens on an ordinary day")
    sent, faults = {}, []
    for scenario in SCENARIOS:
        say(f"   {scenario.workflow}: {scenario.says}")
        sent[scenario.workflow], wrong = await _send_all(doors.shop, scenario)
        faults += wrong
    console.print("[bold]3[/]  Agents propose, rules judge; people decide what waits for them")
    faults += await _watch(parts, doors, sent)
    console.print("[bold]4[/]  What really happened")
    for scenario in SCENARIOS:
        faults += await scenario.check(parts, doors, sent[scenario.workflow])
    verification = await _verify(parts)
    held = "[green]the log holds[/]" if verification.holds else f"[red]{verification.faults}[/]"
    console.print(f"[bold]5[/]  Audit: {verification.events} events, root {verification.root[:16]}…, {held}")
    return faults + list(verification.faults) + await _misplaced(doors, sent)


async def _send_all(shop: Client, scenario: Scenario) -> tuple[dict[str, str], list[str]]:
    """Send a scenario's events; returns the case of each scene, and what was answered wrongly."""
    sent = {scene: (await shop.send(one.event))["case_id"] for scene, one in scenario.cases.items()}
    faults = []
    if scenario.doubled is not None:
        again = await shop.send(scenario.cases[scenario.doubled].event)
        if again["case_id"] != sent[scenario.doubled] or again["new"]:
            faults.append("the doubled event opened a second case")
    for what, event in scenario.refused.items():
        faults += await _refused(shop, what, event)
    return sent, faults


async def _refused(shop: Client, what: str, event: dict[str, Any]) -> list[str]:
    try:
        await shop.send(event)
    except Problem as problem:
        if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            say(f"   refused, as it must be: {what} ({problem.body['detail']})")
            return []
    return [f"{what} was not refused with 422"]


async def _watch(parts: Parts, doors: Doors, sent: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Show the cases moving while the people decide, until all have come to rest."""
    rejected = {
        sent[scenario.workflow][scene]: comment
        for scenario in SCENARIOS
        for scene, comment in scenario.rejected.items()
    }
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            with Live(console=console, refresh_per_second=4) as live:
                while await _moving(doors, live, sent):
                    for scenario in SCENARIOS:
                        await scenario.meanwhile(doors, parts, sent[scenario.workflow])
                    for client in doors.people.values():
                        await _decide(client, rejected)
                    await asyncio.sleep(_REFRESH.total_seconds())
    except TimeoutError:
        return ["not every case came to rest in time"]
    finally:
        if not console.is_terminal:
            console.line()  # Live leaves the cursor at the end of its last line
    return []


async def _moving(doors: Doors, live: Live, sent: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a case still moves: those that were sent until they are where they must be, others at all."""
    cases = await doors.shop.cases()
    live.update(progress_table(cases), refresh=True)
    ends = _ends(sent)
    at_rest = {case["id"]: case["status"] in {ends.get(case["id"]), *_AT_REST} for case in cases}
    return not ends.keys() <= at_rest.keys() or not all(at_rest.values())


def _ends(sent: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """By case the status in which it must come to rest."""
    return {
        sent[scenario.workflow][scene]: one.ends
        for scenario in SCENARIOS
        for scene, one in scenario.cases.items()
    }


async def _decide(person: Client, rejected: Mapping[str, str]) -> None:
    """Let a person decide the first review that is theirs, on the digest of what they were shown."""
    for waiting in reversed(await person.reviews()):
        review = await person.review(waiting["id"])
        if review["may_decide"]:
            comment = rejected.get(review["case_id"])
            kind = "reject" if comment else "approve"
            await person.vote(review["id"], kind, review["digest"], comment)
            return


async def _misplaced(doors: Doors, sent: Mapping[str, Mapping[str, str]]) -> list[str]:
    stands = {case["id"]: case["status"] for case in await doors.shop.cases()}
    return [
        f"{scenario.workflow}: {scene} is {stands.get(case)}, not {one.ends}"
        for scenario in SCENARIOS
        for scene, one in scenario.cases.items()
        if stands.get(case := sent[scenario.workflow][scene]) != one.ends
    ]


async def _verify(parts: Parts) -> Verification:
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass
        return await verify_log(connection, [parts.signer.key])
