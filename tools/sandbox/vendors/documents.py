"""Documents: what a vendor has sent in, read page by page."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool, Trust
from tools.documents.reading import Reader, Trouble
from tools.sandbox.database import Sandbox, many
from tools.sandbox.vendors.register import VendorId

DocumentId = Annotated[str, Field(pattern=r"^D-[0-9]{5,12}$", max_length=14)]
DocumentKind = Literal["registration", "bank_letter", "insurance_certificate"]
_PATIENCE = timedelta(seconds=60)


class Document(Record):
    """A document as it lies there: what it is said to be, and whether it could be read.

    Attributes:
        kind: what the vendor says that it is.
        pages: how many were read; none where there is `trouble`.
    """

    document_id: str
    kind: DocumentKind
    file_name: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    content_type: str
    sha256: str
    size_bytes: int
    received_at: datetime
    pages: int
    trouble: Trouble | None


class Page(Record):
    """The text of one page, the first being 1."""

    document_id: str
    number: int
    text: str


class VendorDocuments(Record):
    """A vendor's documents, the newest of each kind, and all that stands in them.

    Attributes:
        digest: SHA-256 over the documents' own; another one means other documents.
    """

    vendor_id: str
    documents: list[Document]
    pages: Annotated[list[Page], Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    digest: str


class ListDocuments(Arguments):
    """Whose documents."""

    vendor_id: VendorId


class _Stored(Record):
    """A row of the archive."""

    document_id: str
    vendor_id: str
    kind: DocumentKind
    file_name: str
    content_type: str
    content: bytes
    sha256: str
    received_at: datetime


_NEWEST = """
    SELECT DISTINCT ON (kind) {columns} FROM vendor_documents WHERE vendor_id = %s
    ORDER BY kind, received_at DESC, document_id DESC
"""


def documents_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Reading the archive."""
    reader = Reader()

    async def read(arguments: ListDocuments, _call: Call) -> VendorDocuments:
        async with sandbox.reading() as connection:
            stored = await many(connection, _Stored, _NEWEST, arguments.vendor_id)
        documents, pages = [], []
        for one in sorted(stored, key=lambda one: one.document_id):
            document, text = await _read(reader, one)
            documents.append(document)
            pages += text
        return VendorDocuments(
            vendor_id=arguments.vendor_id, documents=documents, pages=pages, digest=_digest(documents)
        )

    return (
        Tool(
            name="vendors.documents",
            version="1",
            purpose="Read the documents that a vendor has sent in, page by page.",
            effect=Effect.READ,
            arguments=ListDocuments,
            result=VendorDocuments,
            perform=read,
            idempotent=True,
            timeout=_PATIENCE,
        ),
    )


async def _read(reader: Reader, stored: _Stored) -> tuple[Document, list[Page]]:
    reading = await reader.read(stored.content, stored.content_type)
    kept = stored.model_dump(exclude={"content", "vendor_id"})
    document = Document(
        **kept, size_bytes=len(stored.content), pages=len(reading.pages), trouble=reading.trouble
    )
    numbered = enumerate(reading.pages, 1)
    return document, [Page(document_id=stored.document_id, number=at, text=text) for at, text in numbered]


def _digest(documents: Sequence[Document]) -> str:
    lines = "\n".join(f"{one.document_id} {one.sha256}" for one in documents)
    return hashlib.sha256(lines.encode()).hexdigest()
