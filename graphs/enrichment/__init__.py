"""Account enrichment: what sources say of a company becomes fields of the CRM, by rule or by a person."""

from graphs.enrichment.graph import build as graph
from graphs.enrichment.workflow import KIT

__all__ = ["KIT", "graph"]
