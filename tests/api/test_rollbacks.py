"""Rollbacks and withdrawals over HTTP: plans, starts, progress, and plain refusals."""

from typing import Any

from tests.api.door import Door, problem

SMALL = "clean_29_90_1"
WHY = {"why": "It was sent by mistake."}
DAY = {"workflow": "refund", "from": "2026-11-20T00:00:00+00:00", "to": "2026-11-21T00:00:00+00:00"}
