"""Support triage: from a ticket to an answer, by itself where the records say it, else by a support lead."""

from graphs.triage.graph import build as graph
from graphs.triage.workflow import KIT

__all__ = ["KIT", "graph"]
