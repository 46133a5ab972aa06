"""Origins: where the arguments of a proposal come from, as facts that a rule table may ask for."""

from collections.abc import Mapping
from typing import Literal, assert_never, get_args

from nodes.action import Proposal, Ref
from nodes.facts import Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.contract import Tool, Trust

Origin = Literal["record", "author", "person", "model", "untrusted"]
"""Where an argument comes from: a system of record, whoever the case comes from, a person who edited it, a
model or the state, or somebody's text."""
EVENT = "event"
"""The record of a case that is what its author has said."""


def origin_of(proposal: Proposal, name: str, records: Records, *, handed_over: bool) -> Origin:
    """Where an argument comes from; a literal that no person has set counts as a model's.

    What a case says that another case has opened is nobody's own word: an agent has read it out of something.
    """
    source, trust = proposal.source_of(name, records)
    match trust:
        case Trust.PERSON:
            return "person"
        case Trust.UNTRUSTED:
            return "untrusted"
        case Trust.MODEL:
            return "model"
        case Trust.RECORD if not isinstance(proposal.arguments[name], Ref):
            return "model"
        case Trust.RECORD if source.partition(".")[0] == EVENT:
            return "model" if handed_over else "author"
        case Trust.RECORD:
            return "record"
        case _:
            assert_never(trust)


def as_told(sources: Mapping[str, Json], *, handed_over: bool) -> dict[str, Json]:
    """Where arguments come from, and how far each is to be trusted where another case has opened this one.

    What such a case says is its author's word no more, and no record: somebody has read it out of something.
    """
    model = {"trust": Trust.MODEL.value}
    return {
        name: one | model if handed_over and _says_the_case(one) else one for name, one in sources.items()
    }


def _says_the_case(one: Json) -> bool:
    return one["trust"] == Trust.RECORD.value and str(one["source"]).startswith(f"{EVENT}.")


def unfit_origins(facts: type[Facts], tool: Tool) -> list[str]:
    """What is wrong with the facts that tell where arguments come from."""
    found = []
    for fact, argument in facts.origins.items():
        field = facts.model_fields.get(fact)
        if field is None or set(get_args(field.annotation)) != set(get_args(Origin)):
            found.append(f"{fact} is no fact that tells an origin")
        if argument not in tool.arguments.model_fields:
            found.append(f"{fact} tells where {argument} comes from, which {tool.name} does not take")
    return found
