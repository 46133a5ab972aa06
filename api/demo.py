"""The demo: a sandbox company, 25 refund events over HTTP, three people who decide, and a check of it all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.live import Live

from api.client import Client, Problem
from api.serve import serving, until_signal, working
from api.show import console, progress_table, refund_table, say
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.database import drop_database
from checkpoints.embedded import APPLICATION, embedded_postgres
from checkpoints.log_check import Verification
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
from graphs.wiring import Addresses, Parts, bring_up, kept_running, open_parts, utc_now
from tools.contract import Call
from tools.sandbox.cast import CAST

_NAMES = ("countersign_demo", "countersign_demo_sandbox")
_LIFE = timedelta(days=1)
_PATIENCE = timedelta(seconds=120)
_REFRESH = timedelta(milliseconds=300)

CASES = {
    **{f"clean_29_90_{n}": "closed" for n in range(1, 6)},
    "clean_49_99": "closed",
    "clean_50_00": "closed",
    "clean_50_01": "closed",
    "clean_120_00_1": "closed",
    "clean_120_00_2": "rejected",
    "clean_180_00": "closed",
    "clean_500_00": "closed",
    "clean_500_01": "closed",
    "clean_640_00_1": "closed",
    "clean_1250_00": "rejected",
    "fraud_customer": "escalated",
    "fraud_order": "escalated",
    "window_over": "rejected",
    "window_31_days": "rejected",
    "double_capture": "escalated",
    "usd": "escalated",
    "fully_refunded": "rejected",
}
"""The scenes that become cases, and where each must end."""

REJECTED = {
    "clean_120_00_2": "The photo shows another product.",
    "clean_1250_00": "Not damaged, only opened.",
}
"""What the people reject, and why."""

_ROLES = {"maya": "support_lead", "jonas": "support_lead", "ines": "finance"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """The demo's API as its service and its people use it."""

    url: str
    shop: Client
    people: dict[str, Client]
    tokens: dict[str, str]
    began_at: datetime


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
    return parts, await stack.enter_async_context(_doors(url, tokens))


def _make_people(path: Path) -> dict[str, str]:
    now, tokens, content = utc_now(), {}, PeopleFile()
    for name, role in _ROLES.items():
        tokens[name], kept = new_token(PERSON_PREFIX, _LIFE, now)
        content = content.with_person(Person(id=name, name=name.title(), roles=[role], tokens=[kept]))
    tokens["shop"], kept = new_token(SERVICE_PREFIX, _LIFE, now)
    scopes = ["cases:start", "cases:read"]
    write_people(path, content.with_service(Service(id="shop", name="The shop", scopes=scopes, keys=[kept])))
    return tokens


@asynccontextmanager
async def _doors(url: str, tokens: dict[str, str]) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(Client(url, token)) for name, token in tokens.items()
        }
        shop = clients.pop("shop")
        yield Doors(url=url, shop=shop, people=clients, tokens=tokens, began_at=utc_now())


async def _play(parts: Parts, doors: Doors) -> list[str]:
    console.print("[bold]2[/]  Sending 25 refund events: small, large, suspicious, late, malformed, doubled")
    sent, faults = await _send_all(doors.shop)
    console.print("[bold]3[/]  Agents propose, rules judge; three people decide what waits for them")
    faults += await _watch(doors, sent)
    console.print("[bold]4[/]  What really happened")
    console.print(refund_table(await _refunds(parts, doors.began_at)))
    verification = await _verify(parts)
    held = "[green]the log holds[/]" if verification.holds else f"[red]{verification.faults}[/]"
    console.print(f"[bold]5[/]  Audit: {verification.events} events, root {verification.root[:16]}…, {held}")
    return faults + list(verification.faults) + await _misplaced(doors, sent) + await _mispaid(parts, doors)


async def _send_all(shop: Client) -> tuple[dict[str, str], list[str]]:
    """Send all events; returns the case of each scene, and what was answered wrongly."""
    sent = {scene: (await shop.send(_event(scene)))["case_id"] for scene in CASES}
    faults = []
    again = await shop.send(_event("clean_29_90_1"))
    if again["case_id"] != sent["clean_29_90_1"] or again["new"]:
        faults.append("the doubled event opened a second case")
    faults += await _refused(shop, "malformed", _event("clean_29_90_6") | {"data": {"order_id": "O-1"}}, 422)
    faults += await _refused(shop, "a stranger's ticket", _event("strangers_ticket"), 422)
    return sent, faults


async def _refused(shop: Client, what: str, event: dict[str, Any], status: int) -> list[str]:
    try:
        await shop.send(event)
    except Problem as problem:
        if problem.status == status:
            say(f"   refused, as it must be: {what} ({problem.body['detail']})")
            return []
    return [f"{what} was not refused with {status}"]


def _event(scene: str) -> dict[str, Any]:
    cast = CAST[scene]
    return {
        "specversion": "1.0",
        "id": f"demo-{scene}",
        "source": "/demo/shop",
        "type": "com.countersign.refund.requested",
        "data": {
            "order_id": cast.order_id,
            "customer_id": cast.customer_id,
            "ticket_id": cast.ticket_id,
            "reason_code": "damaged",
        },
    }


async def _watch(doors: Doors, sent: dict[str, str]) -> list[str]:
    """Show the cases moving while the people decide, until all have come to rest."""
    rejected = {sent[scene]: comment for scene, comment in REJECTED.items()}
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            with Live(console=console, refresh_per_second=4) as live:
                while await _moving(doors, live, sent):
                    for client in doors.people.values():
                        await _decide(client, rejected)
                    await asyncio.sleep(_REFRESH.total_seconds())
    except TimeoutError:
        return ["not every case came to rest in time"]
    finally:
        if not console.is_terminal:
            console.line()  # Live leaves the cursor at the end of its last line
    return []


async def _moving(doors: Doors, live: Live, sent: dict[str, str]) -> bool:
    cases = await doors.shop.cases()
    live.update(progress_table(cases), refresh=True)
    settled = set(CASES.values())
    return len(cases) < len(sent) or any(case["status"] not in settled for case in cases)


async def _decide(person: Client, rejected: dict[str, str]) -> None:
    """Let a person decide the first review that is theirs, on the digest of what they were shown."""
    for waiting in reversed(await person.reviews()):
        review = await person.review(waiting["id"])
        if review["may_decide"]:
            comment = rejected.get(review["case_id"])
            kind = "reject" if comment else "approve"
            await person.vote(review["id"], kind, review["digest"], comment)
            return


async def _misplaced(doors: Doors, sent: dict[str, str]) -> list[str]:
    stands = {case["id"]: case["status"] for case in await doors.shop.cases()}
    return [
        f"{scene} is {stands.get(sent[scene])}, not {wanted}"
        for scene, wanted in CASES.items()
        if stands.get(sent[scene]) != wanted
    ]


async def _mispaid(parts: Parts, doors: Doors) -> list[str]:
    """Orders whose refunds in the payment system are not what their case came to."""
    paid: dict[str, list[int]] = {}
    for refund in await _refunds(parts, doors.began_at):
        paid.setdefault(refund["order_id"], []).append(refund["amount_minor"])
    wanted = {
        CAST[scene].order_id: [CAST[scene].amount_minor] for scene, end in CASES.items() if end == "closed"
    }
    return [
        f"order {order}: refunded {paid.get(order, [])}, not {wanted.get(order, [])}"
        for order in sorted(paid.keys() | wanted.keys())
        if paid.get(order) != wanted.get(order)
    ]


async def _refunds(parts: Parts, since: datetime) -> list[dict[str, Any]]:
    """The refunds of the demo's orders that were made since it began, asked of the payment system itself."""
    arguments = parts.registry.describe("payments.list").arguments
    found: list[dict[str, Any]] = []
    for scene in CASES:
        wanted = arguments.model_validate({"order_id": CAST[scene].order_id})
        paid = await parts.registry.call(parts.capability, "payments.list", wanted, Call(key="demo"))
        made = paid.model_dump()["refunds"]
        found += [refund for refund in made if refund["created_at"] >= since]
    return found


async def _verify(parts: Parts) -> Verification:
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass
        return await verify_log(connection, [parts.signer.key])
