"""JSON shapes: what travels between nodes, rows and answers."""

from typing import Any

Json = dict[str, Any]
