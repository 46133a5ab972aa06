"""Vendor onboarding: from an application with its papers to a vendor that may be bought from and paid."""

from graphs.vendor.graph import build as graph
from graphs.vendor.workflow import KIT

__all__ = ["KIT", "graph"]
