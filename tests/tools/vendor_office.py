"""Deeds of the vendor register on vendors of the cast, as tests do them."""

from typing import Any

from tests.tools.shop import AS_OF
from tools.sandbox.vendors.cast import Applicant
from tools.sandbox.vendors.staging import company_of

DOSSIER = "0" * 64


def endorsement_of(scene: Applicant) -> dict[str, Any]:
    """That the account in a vendor's own letter is its account."""
    iban = company_of(scene, AS_OF).iban
    return {
        "vendor_id": scene.vendor_id,
        "iban": iban,
        "document_id": scene.document_id("bank_letter"),
        "page": 1,
        "quote": f"IBAN: {iban}",
    }


def clearance_of(scene: Applicant, department: str = "legal") -> dict[str, Any]:
    """That a department clears a vendor."""
    return {"vendor_id": scene.vendor_id, "department": department, "dossier": DOSSIER}


def activation_of(scene: Applicant) -> dict[str, Any]:
    """That a vendor whose account is on file is active."""
    return {"vendor_id": scene.vendor_id, "account_id": f"A-{scene.vendor_id[2:]}"}


def request_to(scene: Applicant) -> dict[str, Any]:
    """That a vendor is asked for a letter of its bank."""
    return {
        "vendor_id": scene.vendor_id,
        "template": "missing_information",
        "items": ["document:bank_letter"],
        "turn": 1,
    }
