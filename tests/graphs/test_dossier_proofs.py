"""A dossier proves by itself that its events are in the signed log, and an altered one is found."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoints.audit_proofs import newest_head
from checkpoints.notes import Signer, VerifierKey
from graphs.dossier.proofs import dossier_faults, named_key
from graphs.dossier.shapes import to_dossier
from graphs.settings import Settings
from tests.graphs.cases import PIA, clear_dossier, eventful, sealed_dossier
from tests.house import House, ManualClock
from tests.stories.reviewing import EVERYBODY, now_working

Json = dict[str, Any]
MALLORY = Signer(name="example.com/log", private=Ed25519PrivateKey.from_private_bytes(b"m" * 32))


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY, PIA)


async def test_every_event_is_proved_to_be_in_the_log_that_the_key_signs(
    house: House, clock: ManualClock
) -> None:
    dossier = await clear_dossier(house, await eventful(house, clock))
    key = house.parts.signer.key

    assert dossier_faults(dossier, [key]) == dossier_faults(dossier) == []
    assert named_key(dossier) == key


async def test_the_head_is_the_smallest_that_has_the_cases_last_event(
    house: House, clock: ManualClock
) -> None:
    case_id = await eventful(house, clock)
    first = await sealed_dossier(house, case_id)
    await house.after("clean_29_90_1")
    second = await sealed_dossier(house, case_id)

    async with house.parts.database.transaction() as tx:
        newest = await newest_head(tx)
    assert first.head is not None
    assert first == second
    assert first.head.size < newest.size
    sizes = await house.rows("SELECT size FROM audit_heads ORDER BY size")
    (last,) = [entry.index for entry in first.events[-1:]]
    assert last is not None
    assert first.head.size == min(row["size"] for row in sizes if row["size"] > last)


def event(document: Json) -> Json:
    found: Json = document["events"][3]["event"]
    return found


def other_actor(document: Json) -> None:
    event(document)["actor"] = "person:mallory"


def other_time(document: Json) -> None:
    event(document)["at"] = "2026-11-19T00:00:00+00:00"


def more_data(document: Json) -> None:
    event(document)["data"]["more"] = 1


def exchanged(document: Json) -> None:
    one, two = document["events"][2:4]
    document["events"][2:4] = [two, one]


def other_place(document: Json) -> None:
    document["events"][-1]["index"] += 1


def no_place(document: Json) -> None:
    document["events"][0]["index"] = None


def other_path(document: Json) -> None:
    document["events"][0]["proof"][0] = "00" * 32


def no_path(document: Json) -> None:
    document["events"][0]["proof"] = []


def no_hex(document: Json) -> None:
    document["events"][0]["proof"][0] = "no hex"


def other_root(document: Json) -> None:
    document["head"]["root"] = "00" * 32


def other_size(document: Json) -> None:
    document["head"]["size"] += 1


def no_head(document: Json) -> None:
    document["head"] = None


def other_note(document: Json) -> None:
    document["head"]["note"] = document["head"]["note"].replace("at 2026", "at 2027")


def other_key(document: Json) -> None:
    document["head"]["key"] = "no key"


TAMPERED: dict[Callable[[Json], None], str] = {
    other_actor: "was altered",
    other_time: "was altered",
    more_data: "was altered",
    exchanged: "is not after the one before it",
    other_place: "or is not leaf",
    no_place: "has no place in the log",
    other_path: "or is not leaf",
    no_path: "or is not leaf",
    no_hex: "or is not leaf",
    other_root: "is not what its note says",
    other_size: "is not what its note says",
    no_head: "there is no signed head",
    other_note: "the head cannot be trusted",
    other_key: "the key that the dossier names is none",
}


async def test_what_was_altered_is_found_and_named(
    house: House, clock: ManualClock, subtests: pytest.Subtests
) -> None:
    whole = json.loads((await sealed_dossier(house, await eventful(house, clock))).to_bytes())
    for tamper, said in TAMPERED.items():
        with subtests.test(tamper.__name__):
            document = deepcopy(whole)
            tamper(document)
            faults = dossier_faults(to_dossier(document))
            assert [fault for fault in faults if said in fault], faults


async def test_a_dossier_that_somebody_else_signed_anew_is_not_the_logs(
    house: House, clock: ManualClock
) -> None:
    dossier = await sealed_dossier(house, await eventful(house, clock))
    assert dossier.head is not None
    root = bytes.fromhex(dossier.head.root)
    note = MALLORY.sign(size=dossier.head.size, root=root, at=clock.now)
    forged = dossier.model_copy(
        update={"head": dossier.head.model_copy(update={"note": note, "key": str(MALLORY.key)})}
    )

    assert dossier_faults(forged) == [], "by its own key nobody can tell"
    faults = dossier_faults(forged, [VerifierKey.parse(str(house.parts.signer.key))])
    assert any("another key" in fault for fault in faults)
    assert any("cannot be trusted" in fault for fault in faults)
