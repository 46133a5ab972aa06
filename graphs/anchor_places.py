"""The anchors that COUNTERSIGN_ANCHOR names: file://, https://, s3://, gs:// and az:// addresses."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.anchors.anchor import Anchor
from tools.anchors.endpoint import EndpointAnchor
from tools.anchors.file import FileAnchor
from tools.anchors.object_store import ObjectStoreAnchor, store_at
from tools.notices.endpoint import Endpoint

WITHIN = timedelta(seconds=15)
"""The longest that one anchor may take."""


class AnchorUnfit(Exception):
    """An anchor is a file://, https://, s3://, gs:// or az:// address."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


def read_anchors(text: str | None, private: Collection[str] = ()) -> tuple[Anchor, ...]:
    """The anchors of a comma-separated list; raises AnchorUnfit, without quoting an address.

    Hosts in `private` may be at an address of this machine or network.
    """
    places = [place.strip() for place in (text or "").split(",") if place.strip()]
    anchors = tuple(_anchor(place, number, private) for number, place in enumerate(places, 1))
    if len({anchor.name for anchor in anchors}) < len(anchors):
        raise AnchorUnfit("COUNTERSIGN_ANCHOR: an anchor is there twice")
    return anchors


def _anchor(place: str, number: int, private: Collection[str]) -> Anchor:
    try:
        parts = urlsplit(place)
        name = f"{parts.scheme}://{parts.netloc}{parts.path}"
        match parts.scheme:
            case "file" if parts.path.startswith("/") and parts.netloc in {"", "localhost"}:
                return FileAnchor(name=name, path=Path(unquote(parts.path)))
            case "http" | "https":
                own = parts.hostname in private
                endpoint = Endpoint.at(place, WITHIN, allow_private=own)
                return EndpointAnchor(name=name, endpoint=endpoint)
            case "s3" | "gs" | "az":
                return ObjectStoreAnchor(name=name, within=WITHIN, store=store_at(place, WITHIN))
            case _:
                raise AnchorUnfit(f"COUNTERSIGN_ANCHOR: number {number}: {AnchorUnfit.__doc__}")
    except ValueError as error:
        raise AnchorUnfit(f"COUNTERSIGN_ANCHOR: number {number}: {error}") from None
