"""The vendor workflow: its event, records, rules, roles and graph, put together."""

from graphs.kit import Judged, Kit, Mind
from graphs.vendor.agents import Extraction, Risk, extractor_playbook, screener_playbook
from graphs.vendor.checks import Checks, conclude
from graphs.vendor.facts import (
    ActivationFacts,
    ClearanceFacts,
    EndorsementFacts,
    RequestFacts,
    activation_facts,
    clearance_facts,
    endorsement_facts,
    request_facts,
)
from graphs.vendor.graph import build
from graphs.vendor.records import Departments, PaidTo, Request, VendorApplication, derive
from graphs.vendor.undoing import (
    UndoFacts,
    deactivation_facts,
    retraction_facts,
    revocation_facts,
    withdrawal_facts,
)
from nodes.records import Source

_OF_VENDOR = {"vendor_id": "event.vendor_id"}
RECORDS = (
    Source(name="vendor", tool="vendors.get", arguments=_OF_VENDOR),
    Source(name="documents", tool="vendors.documents", arguments=_OF_VENDOR),
    Source(
        name="requirements",
        tool="vendors.requirements",
        arguments={"kind": "vendor.kind", "country": "vendor.country"},
        shared=True,
    ),
    Source(name="screening", tool="vendors.screening", arguments=_OF_VENDOR),
    Source(name="accounts", tool="vendors.accounts", arguments=_OF_VENDOR),
    Source(name="clearances", tool="vendors.clearances", arguments=_OF_VENDOR),
    Source(name="messages", tool="vendors.messages", arguments=_OF_VENDOR),
)
SCOPE = (
    *(
        (f"{record}.vendor_id", "event.vendor_id")
        for record in ("vendor", "documents", "screening", "accounts", "clearances", "messages")
    ),
    ("clearances.clearances.vendor_id", "event.vendor_id"),
    ("messages.messages.vendor_id", "event.vendor_id"),
)

KIT = Kit(
    package="graphs.vendor",
    name="vendor",
    version="1",
    event_type="com.countersign.vendor.applied",
    event=VendorApplication,
    title=lambda event: f"Onboarding of {event.vendor_id}",
    sources=RECORDS,
    scope=SCOPE,
    derive=derive,
    conclude=conclude,
    derived={"departments": Departments, "request": Request, "account": PaidTo, "checks": Checks},
    judged=(
        Judged(
            tool="vendors.endorse_account",
            file="endorsement.yaml",
            facts=EndorsementFacts,
            gather=endorsement_facts,
            own={"vendor_id": "vendor.vendor_id"},
            apart=("iban",),
            hears=("extractor",),
            said=dict.fromkeys(("iban", "document_id", "page", "quote"), ("checks",)),
        ),
        Judged(
            tool="vendors.record_clearance",
            file="clearance.yaml",
            facts=ClearanceFacts,
            gather=clearance_facts,
            own={"vendor_id": "vendor.vendor_id", "dossier": "documents.digest"},
            apart=("department",),
            hears=("extractor", "screener"),
            beside=("clearances",),
        ),
        Judged(
            tool="vendors.activate",
            file="rules.yaml",
            facts=ActivationFacts,
            gather=activation_facts,
            own={"vendor_id": "vendor.vendor_id", "account_id": "account.account_id"},
        ),
        Judged(
            tool="vendors.request_information",
            file="request.yaml",
            facts=RequestFacts,
            gather=request_facts,
            own={"vendor_id": "vendor.vendor_id"},
            apart=("turn",),
            hears=("extractor",),
            said={"items": ("checks",)},
        ),
        Judged(
            tool="vendors.revoke_account",
            file="revocation.yaml",
            facts=UndoFacts,
            gather=revocation_facts,
            own={"account_id": "undo.account_id"},
        ),
        Judged(
            tool="vendors.withdraw_clearance",
            file="withdrawal.yaml",
            facts=UndoFacts,
            gather=withdrawal_facts,
            own={"clearance_id": "undo.clearance_id"},
        ),
        Judged(
            tool="vendors.deactivate",
            file="deactivation.yaml",
            facts=UndoFacts,
            gather=deactivation_facts,
            own={"activation_id": "undo.activation_id"},
        ),
        Judged(
            tool="vendors.retract_request",
            file="retraction.yaml",
            facts=UndoFacts,
            gather=retraction_facts,
            own={"message_id": "undo.message_id"},
        ),
    ),
    agents={
        "extractor": Mind(Extraction, extractor_playbook),
        "screener": Mind(Risk, screener_playbook),
    },
    build=build,
)
