"""The sample workflow: a customer's message is answered, by rule or by people."""

from graphs.scaffold.sample.graph import KIT, build

graph = build

__all__ = ["KIT", "graph"]
