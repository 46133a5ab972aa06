"""An anchor in an object store: each head is an object of its own, made and never written over.

With a retention lock on the bucket nobody can take a head back, whoever has the credentials.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tools.anchors.anchor import AnchorUnreachable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_DIGITS = 20


class ObjectStoresMissing(ValueError):
    """Object stores need the package obstore: install countersign[object-store]."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStoreAnchor:
    """Puts each head at `<prefix>/<size, 20 digits>.note`."""

    name: str
    within: timedelta
    store: "ObjectStore" = field(repr=False)

    async def keep(self, size: int, note: str, now: datetime) -> None:  # noqa: ARG002 - the note says when
        """Put the head if it is not there; raises AnchorUnreachable, also if another one is there."""
        from obstore.exceptions import BaseError

        try:
            async with asyncio.timeout(self.within.total_seconds()):
                kept = await self._made(f"{size:0{_DIGITS}}.note", note.encode())
        except (BaseError, OSError, TimeoutError) as error:
            raise AnchorUnreachable(f"the store did not take it: {type(error).__name__}") from error
        if not kept:
            raise AnchorUnreachable("another head of this size is there")

    async def _made(self, path: str, note: bytes) -> bool:
        """Whether the object with this note is there now."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            await obstore.put_async(self.store, path, note, mode="create", use_multipart=False)
        except AlreadyExistsError:
            found = await obstore.get_async(self.store, path)
            return bytes(await found.bytes_async()) == note
        return True


def store_at(address: str, within: timedelta) -> "ObjectStore":
    """The store at an s3://, gs:// or az:// address; credentials and endpoint are the environment's.

    Raises:
        ObjectStoresMissing: the package for it is not installed.
        ValueError: it is no such address.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise ObjectStoresMissing from error
    try:
        return from_url(address, retry_config={"max_retries": 2, "retry_timeout": within})
    except BaseError as error:
        raise ValueError("it is no bucket of an object store") from error
