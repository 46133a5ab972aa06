"""What guards the ways back: undo, rollback, and the ways out of exceptions."""

from tests.mutations.mutation import API, NODES, STORIES, Mutation, controls

ROLLBACKS = (f"{STORIES}/test_rollback.py", f"{API}/test_rollbacks.py")
HOLDS = (f"{STORIES}/test_holds.py",)
DEPLOYS = (f"{STORIES}/test_deploys.py",)
WAYS_OUT = (f"{STORIES}/test_ways_out.py", f"{API}/test_exceptions.py")

CONTROLS: list[Mutation] = [
    *controls(
        "undo",
        "tools/contract.py",
        (
            "an undo that is not proven for this version is none",
            "return Reversibility.REVERSIBLE if proven else Reversibility.IRREVERSIBLE",
            "return Reversibility.REVERSIBLE",
            ("tests/tools/test_do_undo.py",),
        ),
        (
            "a chain has the class of its worst link",
            "return max(chain, key=order.index, default=Reversibility.READ_ONLY)",
            "return min(chain, key=order.index, default=Reversibility.READ_ONLY)",
            ("tests/tools/test_do_undo.py", *ROLLBACKS),
        ),
    ),
    *controls(
        "undo",
        "nodes/gateway.py",
        (
            "what is irreversible is never automatic",
            "if needs_people(self.registry.describe(judgement.proposal.tool)):",
            "if False:",
            (f"{NODES}/test_irreversible.py",),
        ),
    ),
    *controls(
        "undo",
        "nodes/reversing.py",
        (
            "no table lets go by itself what is irreversible",
            "return _allowing(table, tool.name) if needs_people(tool) else []",
            "return []",
            (f"{NODES}/test_irreversible.py",),
        ),
    ),
    *controls(
        "undo",
        "nodes/gate.py",
        (
            "a decision that is held does not count yet",
            "return None if held else decision",
            "return decision",
            HOLDS,
        ),
    ),
    *controls(
        "undo",
        "nodes/signature.py",
        (
            "a grant that is held is not usable",
            "if self._held(grant, judgement.verdict.then.hold, now):",
            "if False:",
            HOLDS,
        ),
    ),
    *controls(
        "undo",
        "graphs/withdrawals.py",
        (
            "only who signed or leads takes a decision back",
            "if principal.kind is not Kind.PERSON or not (own or self._leads(review, principal)):",
            "if False:",
            HOLDS,
        ),
        (
            "after its hold a decision stands",
            "held = review.held_until is not None and self.parts.clock() < review.held_until",
            "held = review.held_until is not None",
            HOLDS,
        ),
    ),
    *controls(
        "rollback",
        "graphs/rollbacks.py",
        (
            "only who may has a case rolled back",
            "return known.permissions.decide(sorted(principal.roles), Verb.ROLL_BACK, CASES).allowed",
            "return True",
            ROLLBACKS,
        ),
        (
            "a plan that is stale is not carried out",
            "if seen is not None and seen != plan.digest:",
            "if False:",
            ROLLBACKS,
        ),
        (
            "a case that moves is not rolled back",
            (
                "if (obstacle := await self.obstacle(tx, case)) is not "
                "None:\n            raise NotAtRest(obstacle)"
            ),
            "if (obstacle := None) is not None:\n            raise NotAtRest(obstacle)",
            ROLLBACKS,
        ),
    ),
    *controls(
        "exceptions",
        "graphs/ways_out.py",
        (
            "a case is cancelled only when no deed of it is in doubt",
            "if doubtful := await deeds_in_doubt(tx, [case.id]):\n            raise DeedInDoubt",
            "if doubtful := []:\n            raise DeedInDoubt",
            WAYS_OUT,
        ),
        (
            "only people find ways out",
            "        if principal.kind is not Kind.PERSON:\n            return False\n        if owner",
            "        if owner",
            WAYS_OUT,
        ),
        (
            "a person speaks of each deed in doubt",
            "if {deed.key for deed in doubtful} != set(how.deeds):",
            "if False:",
            WAYS_OUT,
        ),
        (
            "a cancelled case has nothing left to be carried out",
            "await drop_commands(tx, held.case.id, reason, now)",
            "assert reason",
            WAYS_OUT,
        ),
    ),
    *controls(
        "exceptions",
        "checkpoints/exceptions.py",
        (
            "a wake-up leads out of no exception",
            'if row is None or row["closed_at"] is None or row["way"] not in {Way.RETRY, Way.MOVED_ON}:',
            "if row is None:",
            WAYS_OUT,
        ),
    ),
    *controls(
        "deploys",
        "graphs/fitting.py",
        (
            "a thread does not go on in a graph without its step",
            "    if step not in graph.nodes:\n        return False\n    if not within:",
            "    if not within:",
            DEPLOYS,
        ),
        (
            "nor without the step of its lane",
            "return lane is not None and _has(lane, within)",
            "return lane is not None",
            (f"{STORIES}/test_deploys_lanes.py",),
        ),
        (
            "an exception is not retried from a step that is gone",
            "if STUCK in place.pending and place.step:",
            "if not place:",
            DEPLOYS,
        ),
        (
            "a thread that no worker has a step for comes to people",
            "if now - await told_since(session, refused) >= PATIENCE:",
            "if await told_since(session, refused) > now:",
            DEPLOYS,
        ),
    ),
    *controls(
        "deploys",
        "graphs/moving.py",
        (
            "only who resolves moves a case",
            "if ways.may(case.workflow, case.owner, principal):",
            "if ways:",
            DEPLOYS,
        ),
        (
            "only an orphan is moved",
            "if not found or not lacks(graph, found[0]):",
            "if not found:",
            DEPLOYS,
        ),
        (
            "a review is not left behind",
            "if held.reviews and not judged:",
            "if not case:",
            DEPLOYS,
        ),
    ),
    *controls(
        "faults",
        "checkpoints/worker.py",
        (
            "how a job ended is written until it is",
            "if self._stop_event.is_set():",
            "if error:",
            ("tests/engine/test_broken_lines.py",),
        ),
        (
            "a worker shows life and listens again after the database was away",
            "self._as_often_as_it_takes(task, later)",
            "task()",
            ("tests/engine/test_listening_again.py",),
        ),
    ),
    *controls(
        "faults",
        "graphs/reconciler.py",
        (
            "systems that were away are asked again",
            "self._telling, AWAY, most=MOST_TRIES",
            "self._telling, (), most=MOST_TRIES",
            ("tests/graphs/test_reconciler.py",),
        ),
    ),
]
