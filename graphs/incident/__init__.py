"""Incident review: from an alert to an incident that is over and learnt from; people sign for production."""

from graphs.incident.graph import build as graph
from graphs.incident.workflow import KIT

__all__ = ["KIT", "graph"]
