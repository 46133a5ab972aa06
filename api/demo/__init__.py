"""The demo: every workflow with its people, over HTTP, on a Postgres of its own."""

from api.demo.play import run_demo

__all__ = ["run_demo"]
