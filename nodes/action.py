"""Proposals and the actions they become: references resolved, and one digest over everything signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import BaseModel

from checkpoints.canonical import digest
from nodes.records import Records, as_evidence, reference, trust_of
from nodes.sealing import Sealing
from nodes.shapes import Json
from tools.contract import Trust


@dataclass(frozen=True, slots=True)
class Ref:
    """An argument by reference to a record's field."""

    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One action somebody wants: a tool and arguments, by reference or literal.

    Attributes:
        step: the node that proposes; with the case and the revision it names the proposal.
        revision: counts up when facts moved and the same step is judged again.
        proposer: actor of the agent or node that proposes.
        advice: what the proposer itself thinks of it, as facts of trust `model`. A proposal that an agent
            advises against is judged all the same, so that a refusal has a rule's reason.
        edits: the literal arguments that a person set by an edit on record, with who did; never part of what
            travels through the state, but looked up by the judge.
        undoes: the key of the deed that it takes back; the judge reads the rest from the ledger.
    """

    case_id: str
    step: str
    revision: int
    tool: str
    tool_version: str
    arguments: Mapping[str, Any]
    proposer: str
    reason: str
    evidence: tuple[str, ...]
    policy: tuple[str, ...] = ()
    advice: Mapping[str, Any] = field(default_factory=dict)
    edits: Mapping[str, str] = field(default_factory=dict)
    undoes: str = ""

    @property
    def id(self) -> str:
        """Deterministic, so that a repeated node proposes the same thing."""
        return str(uuid5(NAMESPACE_OID, f"{self.case_id}/{self.step}/{self.revision}"))

    @property
    def key(self) -> str:
        """The idempotency key of its effect."""
        return f"{self.case_id}:{self.step}:{self.revision}"

    @property
    def review_id(self) -> str:
        """The review of this proposal: one, however often its gate is entered."""
        return str(uuid5(NAMESPACE_OID, f"review/{self.id}"))

    @property
    def names(self) -> set[str]:
        """The records that its arguments refer to."""
        return {item.path.partition(".")[0] for item in self.references.values()}

    @property
    def references(self) -> dict[str, Ref]:
        """The arguments that are references."""
        return {name: item for name, item in self.arguments.items() if isinstance(item, Ref)}

    @property
    def literals(self) -> list[str]:
        """The arguments that are not references."""
        return sorted(name for name, item in self.arguments.items() if not isinstance(item, Ref))

    def revised(self) -> "Proposal":
        """The same wish, to be judged on new facts."""
        return replace(self, revision=self.revision + 1)

    def with_literals(self, values: Mapping[str, Any]) -> "Proposal":
        """The next revision, with these arguments as somebody edited them."""
        return replace(self.revised(), arguments={**self.arguments, **values}, edits={})

    def before(self) -> list["Proposal"]:
        """The earlier revisions, by name: their own arguments are not known here. The oldest comes first."""
        return [replace(self, revision=number) for number in range(1, self.revision)]

    def source_of(self, name: str, records: Records) -> tuple[str, Trust]:
        """Where an argument comes from, and how far it is to be trusted."""
        item = self.arguments[name]
        if isinstance(item, Ref):
            return item.path, trust_of(records, item.path)
        if name in self.edits:
            return self.edits[name], Trust.PERSON
        return self.proposer, _literal_trust(self.proposer)

    def to_json(self) -> Json:
        """JSON-shaped for the state; references as `{"ref": path}`."""
        arguments = {
            name: {"ref": item.path} if isinstance(item, Ref) else {"value": item}
            for name, item in self.arguments.items()
        }
        fields = ("case_id", "step", "revision", "tool", "tool_version", "proposer", "reason")
        return {name: getattr(self, name) for name in fields} | {
            "id": self.id,
            "arguments": arguments,
            "evidence": list(self.evidence),
            "policy": list(self.policy),
            "advice": dict(self.advice),
            **({"undoes": self.undoes} if self.undoes else {}),
        }

    @classmethod
    def from_json(cls, item: Json) -> "Proposal":
        """The proposal from the state; raises KeyError or TypeError if it has another shape."""
        if not isinstance(item["arguments"], Mapping):
            raise TypeError("arguments are a mapping")
        arguments = {
            name: Ref(argument["ref"]) if "ref" in argument else argument["value"]
            for name, argument in item["arguments"].items()
        }
        fields = ("case_id", "step", "revision", "tool", "tool_version", "proposer", "reason")
        return cls(
            **{name: item[name] for name in fields},
            arguments=arguments,
            evidence=tuple(item["evidence"]),
            policy=tuple(item["policy"]),
            advice=dict(item["advice"]),
            undoes=str(item.get("undoes", "")),
        )


def resolve(proposal: Proposal, records: Records) -> tuple[dict[str, Any], dict[str, Json]]:
    """The arguments as values, and for each where it comes from and how far it is to be trusted.

    Raises:
        UnresolvedReference: a reference leads nowhere.
    """
    values: dict[str, Any] = {}
    sources: dict[str, Json] = {}
    for name, item in proposal.arguments.items():
        values[name] = _plain(reference(records, item.path)) if isinstance(item, Ref) else item
        source, trust = proposal.source_of(name, records)
        sources[name] = {"source": source, "trust": trust.value}
    return values, sources


def action_of(
    proposal: Proposal,
    arguments: Json,
    sources: dict[str, Json],
    *,
    workflow: str,
    evidence: Mapping[str, str],
    rules: Json,
    expires_at: datetime,
) -> Json:
    """The canonical action: everything that a signature binds (promise 3).

    Arguments are as they will be, the personal ones sealed; evidence is by record its digest (`evidence_of`).
    """
    return {
        "case": proposal.case_id,
        "workflow": workflow,
        "proposal": proposal.id,
        "revision": proposal.revision,
        "proposer": proposal.proposer,
        "tool": proposal.tool,
        "tool_version": proposal.tool_version,
        "arguments": arguments,
        "sources": sources,
        "key": proposal.key,
        "evidence": dict(evidence),
        "rules": rules,
        "expires_at": expires_at.isoformat(),
        **({"undoes": proposal.undoes} if proposal.undoes else {}),
    }


def evidence_of(records: Records, sealing: Sealing) -> dict[str, str]:
    """By record its digest, taken over commitments where it is personal."""
    return {name: digest(as_evidence(name, record, sealing)) for name, record in sorted(records.items())}


def differences(before: Json, after: Json, path: str = "") -> list[Json]:
    """The fields in which two actions differ: `[{field, before, after}]`."""
    found: list[Json] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{path}{name}.")
        elif (name in before) is not (name in after) or not same(old, new):
            found.append({"field": f"{path}{name}", "before": old, "after": new})
    return found


def same(old: Any, new: Any) -> bool:
    """Whether two JSON values have the same digest: 1 is not true."""
    if type(old) is not type(new):
        return False
    if isinstance(old, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(same(old[name], new[name]) for name in old)
    return bool(old == new)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _literal_trust(proposer: str) -> Trust:
    """A rule node's literal is our own text; any other counts as a model's."""
    return Trust.RECORD if proposer.startswith("rule:") else Trust.MODEL
