"""Refund approval: from a request to money on its way back, with people where the rules want them."""

from graphs.refund.graph import build as graph
from graphs.refund.workflow import KIT

__all__ = ["KIT", "graph"]
