"""`countersign log …` and `countersign verify`: the audit log's key, its export, and whether it holds."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_dossier import is_dossier, report_dossier
from api.cli_run import Json, start
from api.show import as_json, complain, say
from graphs.clock import utc_now
from graphs.settings import Settings

if TYPE_CHECKING:
    from checkpoints.log_check import Verification
    from checkpoints.notes import Signer, VerifierKey

log = typer.Typer(no_args_is_help=True, help="The audit log: its key, and its export.")

MOST_FAULTS = 50
"""Faults that are printed: a log that was rewritten has more of them than anybody reads."""


@log.command()
def key() -> None:
    """Print the key with which others check what this log signs; one is made if there is none."""
    from checkpoints.log_key import signer_at

    settings = Settings.from_environment()
    say(str(signer_at(settings.log_key or settings.home / "log.key").key))


@log.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
) -> None:
    """Write the whole log into a file that `countersign verify FILE` checks anywhere."""
    from checkpoints.audit_export import export_log
    from checkpoints.audit_tree import grow_tree
    from checkpoints.database import open_database
    from checkpoints.log_key import signer_in
    from checkpoints.migrate import require_migrated
    from graphs.addresses import addresses

    async def run(settings: Settings) -> int:
        signer = signer_in(settings.home, settings.log_key)
        async with addresses(settings) as where, open_database(where.ours) as database:
            await require_migrated(database)
            async with database.connection() as connection:
                while await grow_tree(connection, utc_now, signer):
                    pass
                with file.open("xb") as out:
                    return await export_log(connection, signer.key, out.write)

    say(f"{start(run)} events written to {file}")


def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An exported log; without it, the database.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="The key that heads must be signed with, however you got it.")
    ] = None,
    anchor: Annotated[
        list[Path] | None, typer.Option(help="Anchored heads: a note, JSON Lines, or a folder of them.")
    ] = None,
    as_json_: Json = False,
) -> None:
    """Check the audit log; exit code 1 if it does not hold."""
    from checkpoints.notes import KeyUnfit, VerifierKey

    try:
        keys = [VerifierKey.parse(text) for text in key or []]
    except KeyUnfit as error:
        raise typer.BadParameter(str(error)) from error
    if file and is_dossier(file):
        if anchor:
            raise typer.BadParameter("anchors are held against a whole log, not against a dossier")
        report_dossier(file, keys, as_json_=as_json_)
        return
    anchors = anchor or []
    found = _verified_file(file, keys, anchors) if file else _verified_database(keys, anchors)
    _report(found, as_json_=as_json_)
    if file and not key and not as_json_:
        complain("Checked with the key that the file itself names: give --key to be sure whose log it is.")
    if not found.holds:
        raise typer.Exit(1)


def _verified_file(file: Path, keys: "list[VerifierKey]", anchors: Sequence[Path]) -> "Verification":
    from checkpoints.anchored import read_anchored
    from checkpoints.log_file import named_key, verify_file

    own = [named] if not keys and (named := named_key(file)) else keys
    anchored, faults = read_anchored(anchors, own)
    found = verify_file(file, keys, anchored)
    return replace(found, faults=(*faults, *found.faults))


def _verified_database(keys: "list[VerifierKey]", anchors: Sequence[Path]) -> "Verification":
    from checkpoints.anchored import read_anchored
    from checkpoints.audit_tree import grow_tree
    from checkpoints.audit_verify import verify_log
    from checkpoints.database import open_database
    from checkpoints.migrate import require_migrated
    from graphs.addresses import addresses

    async def run(settings: Settings) -> "Verification":
        signer = _own_signer(settings)
        known = keys or ([signer.key] if signer else [])
        anchored, faults = read_anchored(anchors, known)
        async with addresses(settings) as where, open_database(where.ours) as database:
            await require_migrated(database)
            async with database.connection() as connection:
                while signer and await grow_tree(connection, utc_now, signer):
                    pass
                found = await verify_log(connection, known or None, anchored)
        return replace(found, faults=(*faults, *found.faults))

    return start(run)


def _own_signer(settings: Settings) -> "Signer | None":
    """Who signs here; None where there is no key: looking at a log is no reason to make one."""
    from checkpoints.log_key import signer_in

    known = settings.log_key is not None or (settings.home / "log.key").exists()
    return signer_in(settings.home, settings.log_key) if known else None


def _report(found: "Verification", *, as_json_: bool) -> None:
    if as_json_:
        as_json(asdict(found) | {"holds": found.holds})
        return
    say(f"{found.events} events, tree of {found.size}, root {found.root}")
    signed = (
        f"{found.heads} heads, {found.heads - found.unsigned} signed, {found.anchored} anchored ones checked"
    )
    say(signed if found.keys else f"{found.heads} heads; no key is here, so no signature was checked")
    if found.unsigned:
        say(f"{found.unsigned} heads are from before heads were signed: only later ones vouch for them.")
    for fault in found.faults[:MOST_FAULTS]:
        say(fault)
    if len(found.faults) > MOST_FAULTS:
        say(f"and {len(found.faults) - MOST_FAULTS} more")
    if found.holds:
        say("The log holds.")
