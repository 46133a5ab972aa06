"""Uploads: documents come in through the vendor portal, which is somebody else's deed and no tool of ours."""

from tools.contract import RecordNotFound
from tools.sandbox.database import Sandbox, exists
from tools.sandbox.vendors.documents import DocumentKind

_KNOWN = "SELECT FROM vendors WHERE vendor_id = %s"
_INSERT = """
    INSERT INTO vendor_documents (vendor_id, kind, file_name, content_type, content, sha256, received_at)
    VALUES (%(vendor)s, %(kind)s, %(name)s, %(type)s, %(content)s, encode(sha256(%(content)s), 'hex'), %(at)s)
    RETURNING document_id
"""


async def upload(
    sandbox: Sandbox, *, vendor_id: str, kind: DocumentKind, file_name: str, content_type: str, content: bytes
) -> str:
    """Put a document into a vendor's file; returns its id. Raises RecordNotFound, or ToolRefused."""
    values = {"vendor": vendor_id, "kind": kind, "name": file_name, "type": content_type, "content": content}
    async with sandbox.writing("upload", f"{vendor_id}/{file_name}") as connection:
        if not await exists(connection, _KNOWN, vendor_id):
            raise RecordNotFound(f"there is no vendor {vendor_id}")
        cursor = await connection.execute(_INSERT, values | {"at": sandbox.now()})
        row = await cursor.fetchone()
        assert row is not None  # INSERT … RETURNING answers with its row
        return str(row[0])
