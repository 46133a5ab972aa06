"""The actions of the vendor workflow; every argument is a reference, and none of them is anybody's text."""

from graphs.vendor.records import Request
from nodes.action import Proposal, Ref
from nodes.context import Context
from nodes.state import CaseState


def endorsement(_state: CaseState, context: Context) -> Proposal:
    """That the account in the documents is the vendor's: as the reader says, so it is never automatic."""
    return _proposal(
        context,
        "endorse",
        "vendors.endorse_account",
        "A document names the account that the vendor wants to be paid to.",
        evidence=("documents", "accounts"),
        vendor_id="vendor.vendor_id",
        iban="checks.iban",
        document_id="checks.iban_document_id",
        page="checks.iban_page",
        quote="checks.iban_quote",
    )


def legal_clearance(_state: CaseState, context: Context) -> Proposal:
    """That legal has nothing against the vendor."""
    return _clearance(context, "legal")


def finance_clearance(_state: CaseState, context: Context) -> Proposal:
    """That finance has nothing against the vendor."""
    return _clearance(context, "finance")


def procurement_clearance(_state: CaseState, context: Context) -> Proposal:
    """That procurement has nothing against the vendor."""
    return _clearance(context, "procurement")


def activation(_state: CaseState, context: Context) -> Proposal:
    """That the vendor may be bought from, and is paid to the account that people have endorsed."""
    return _proposal(
        context,
        "activate",
        "vendors.activate",
        "All departments have cleared the vendor.",
        evidence=("clearances", "accounts"),
        vendor_id="vendor.vendor_id",
        account_id="account.account_id",
    )


def request(context: Context, asked: Request) -> Proposal:
    """The message to the vendor; each turn is a deed of its own.

    It asks for documents that are not there, as the records show; only when those are there for what the
    reader did not find in them, which is not automatic.
    """
    return _proposal(
        context,
        f"request_{asked.turn}",
        "vendors.request_information",
        "Documents or details are missing.",
        evidence=("documents", "requirements"),
        proposer="rule:request",
        vendor_id="vendor.vendor_id",
        template="request.template",
        items="request.items" if asked.items else "checks.missing",
        turn="request.turn",
    )


def _clearance(context: Context, department: str) -> Proposal:
    return _proposal(
        context,
        f"clear_{department}",
        "vendors.record_clearance",
        f"The dossier is whole; {department} has to say whether it clears the vendor.",
        evidence=("documents", "screening"),
        proposer="rule:clear",
        vendor_id="vendor.vendor_id",
        department=f"departments.{department}",
        dossier="documents.digest",
    )


def _proposal(
    context: Context,
    step: str,
    tool: str,
    reason: str,
    *,
    evidence: tuple[str, ...],
    proposer: str = "",
    **arguments: str,
) -> Proposal:
    return Proposal(
        case_id=context.case_id,
        step=step,
        revision=1,
        tool=tool,
        tool_version=context.registry.describe(tool).version,
        arguments={name: Ref(path) for name, path in arguments.items()},
        proposer=proposer or f"rule:{step}",
        reason=reason,
        evidence=evidence,
    )
