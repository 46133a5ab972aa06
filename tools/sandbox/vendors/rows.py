"""The rows of the vendor register: a tuple type a table, its fields the columns."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tools.sandbox.rows import Tables


class VendorRow(NamedTuple):
    """A row of `vendors`."""

    vendor_id: str
    legal_name: str
    kind: str
    country: str
    contact_email: str
    status: str
    applied_at: datetime


class DocumentRow(NamedTuple):
    """A row of `vendor_documents`."""

    document_id: str
    vendor_id: str
    kind: str
    file_name: str
    content_type: str
    content: bytes
    sha256: str
    received_at: datetime


class RequirementRow(NamedTuple):
    """A row of `vendor_requirements`."""

    kind: str
    country: str
    item: str


class EntryRow(NamedTuple):
    """A row of `watch_list`."""

    entry_id: str
    source: str
    names: list[str]
    countries: list[str]


class AccountRow(NamedTuple):
    """A row of `vendor_accounts`."""

    account_id: str
    vendor_id: str
    iban: str
    document_id: str
    page: int
    quote: str
    status: str
    created_at: datetime
    idempotency_key: str
    undo_key: str | None


class ClearanceRow(NamedTuple):
    """A row of `vendor_clearances`."""

    clearance_id: str
    vendor_id: str
    department: str
    dossier: str
    status: str
    created_at: datetime
    idempotency_key: str
    undo_key: str | None


class ActivationRow(NamedTuple):
    """A row of `vendor_activations`."""

    activation_id: str
    vendor_id: str
    account_id: str
    status: str
    created_at: datetime
    idempotency_key: str
    undo_key: str | None


@dataclass(kw_only=True, slots=True)
class Rows(Tables):
    """The rows of all tables, named and ordered as foreign keys need them."""

    vendors: list[VendorRow] = field(default_factory=list)
    vendor_documents: list[DocumentRow] = field(default_factory=list)
    vendor_requirements: list[RequirementRow] = field(default_factory=list)
    watch_list: list[EntryRow] = field(default_factory=list)
    vendor_accounts: list[AccountRow] = field(default_factory=list)
    vendor_clearances: list[ClearanceRow] = field(default_factory=list)
    vendor_activations: list[ActivationRow] = field(default_factory=list)


def document(
    document_id: str, vendor_id: str, kind: str, *, file_name: str, content: bytes, received_at: datetime
) -> DocumentRow:
    """A document's row; the end of its name says of which type it is."""
    content_type = {"pdf": "application/pdf", "txt": "text/plain"}[file_name.rpartition(".")[2]]
    digest = hashlib.sha256(content).hexdigest()
    return DocumentRow(document_id, vendor_id, kind, file_name, content_type, content, digest, received_at)
