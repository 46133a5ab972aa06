"""What guards the decision."""

from tests.mutations.mutation import (
    API,
    BITES,
    FORGED_TESTS,
    GRAPHS,
    KNOWN_TESTS,
    STORIES,
    WHO_TESTS,
    Mutation,
    controls,
)

CONTROLS: list[Mutation] = [
    *controls(
        "reviews",
        "nodes/gate.py",
        (
            "a wake-up decides nothing",
            "if decision is None or decision.status is ReviewStatus.OPEN:",
            "if decision is None:",
            (*KNOWN_TESTS, f"{BITES}/test_forged_state.py"),
        ),
        (
            "the digest is of what is shown",
            "signed = digest(action)  # of what is shown: the state may name another",
            'signed = judged["digest"]',
            FORGED_TESTS,
        ),
    ),
    *controls(
        "reviews",
        "nodes/eligibility.py",
        (
            "the same eyes do not sign twice",
            "if principal.eyes in question.signed:",
            "if False:",
            (f"{STORIES}/test_accounts.py", f"{STORIES}/test_signed_in_part.py"),
        ),
        (
            "stages come one after the other",
            "return [at for at in lacking if _stage(ladder[at]) == now]",
            "return lacking",
            (f"{STORIES}/test_signed_in_part.py", *WHO_TESTS),
        ),
        (
            "nobody lends to themselves",
            "if right.lender.eyes == principal.eyes or not _covers(right, question.amount):",
            "if not _covers(right, question.amount):",
            (f"{STORIES}/test_delegations.py", f"{STORIES}/test_lending_refused.py"),
        ),
        (
            "a lent right has its own limit",
            "if right.lender.eyes == principal.eyes or not _covers(right, question.amount):",
            "if right.lender.eyes == principal.eyes:",
            (f"{STORIES}/test_delegations.py",),
        ),
    ),
    *controls(
        "reviews",
        "graphs/closing.py",
        (
            "a decided review stays decided",
            "if review.status is not ReviewStatus.OPEN:\n        deciders",
            "if False:\n        deciders",
            (f"{API}/test_votes.py", *WHO_TESTS),
        ),
        (
            "one votes on the digest one saw",
            "if digest != review.digest:",
            "if False:",
            (f"{API}/test_votes.py", *WHO_TESTS),
        ),
        (
            "an expired review is not decided",
            "if review.expires_at is not None and review.expires_at <= now:",
            "if False:",
            (f"{API}/test_votes.py", f"{GRAPHS}/test_deadlines.py", *WHO_TESTS),
        ),
        (
            "a review in other hands is left alone",
            "if claimer not in {None, principal.actor}:",
            "if False:",
            (f"{STORIES}/test_review_acts.py", f"{API}/test_review_acts.py"),
        ),
        (
            "a review that waits for information is not decided",
            "if review.paused_at is not None:",
            "if False:",
            (f"{STORIES}/test_review_acts.py", f"{API}/test_review_acts.py"),
        ),
        (
            "the first decision is final",
            "if not await decide_review(tx, review.id, status, now):",
            "if await decide_review(tx, review.id, status, now) is None:",
            ("tests/graphs/test_closing.py", f"{STORIES}/test_votes_at_once.py"),
        ),
    ),
    *controls(
        "reviews",
        "graphs/decisions.py",
        (
            "a review is locked while it is voted on",
            "review = await get_review(tx, review_id, lock=True)\n            await self._alone",
            "review = await get_review(tx, review_id)\n            await self._alone",
            (f"{STORIES}/test_votes_at_once.py", f"{API}/test_votes.py"),
        ),
        (
            "going against the advice takes an override",
            "if ballot.kind is VoteKind.APPROVE and review.against is not None:",
            "if False:",
            (f"{STORIES}/test_overrides_and_glass.py",),
        ),
        (
            "glass is broken by people alone",
            "if principal.kind is not Kind.PERSON or review.kind is not ReviewKind.GATE:",
            "if False:",
            (f"{STORIES}/test_overrides_and_glass.py",),
        ),
        (
            "what is grave is not decided in bulk",
            (
                'if ballot.bulk and (review.risk == "high" or not review.reversible or '
                "review.against is not None):"
            ),
            "if False:",
            (f"{API}/test_bulk.py",),
        ),
        (
            "two votes cannot both be the last of a day",
            'await tx.alone(f"signs for: {eyes}")',
            "assert eyes",
            (f"{STORIES}/test_votes_at_once.py", f"{STORIES}/test_who_may_sign.py"),
        ),
        (
            "after broken glass others look at it",
            "await self._look_afterwards(tx, review, vote)",
            "pass",
            (f"{STORIES}/test_overrides_and_glass.py",),
        ),
    ),
    *controls(
        "reviews",
        "graphs/edits.py",
        (
            "what the rules would refuse is not put in place",
            "if verdict.outcome in {Outcome.REFUSE, Outcome.INVESTIGATE}:",
            "if False:",
            (f"{STORIES}/test_edits.py",),
        ),
        (
            "who edits may decide the edited amount",
            "if not found.allowed:\n            return NotEligible(found.why)",
            "if False:\n            return NotEligible(found.why)",
            (f"{STORIES}/test_edits.py",),
        ),
        (
            "an action is not revised for ever",
            'return TooManyEdits() if int(review.action["revision"]) >= MOST_REVISIONS else None',
            "return None",
            (f"{STORIES}/test_edits.py",),
        ),
    ),
    *controls(
        "reviews",
        "graphs/electorate.py",
        (
            "whoever opened a case, proposed or edited signs nothing",
            "involved = self._involved(frozenset(actors)) | editors[review.case_id]",
            "involved: frozenset[str] = frozenset()",
            (*WHO_TESTS, f"{STORIES}/test_edits.py", f"{STORIES}/test_accounts.py"),
        ),
        (
            "what has votes is answered by itself",
            "alike = review.id if said else _alike(review, involved)",
            "alike = _alike(review, involved)",
            ("tests/api/test_queue.py",),
        ),
        (
            "what others are involved in is another question",
            "return (review.workflow, review.tool, amount, repr(review.ladder), involved)",
            "return (review.workflow, review.tool, amount, repr(review.ladder))",
            ("tests/api/test_queue.py",),
        ),
    ),
    *controls(
        "reviews",
        "graphs/deadlines.py",
        (
            "time never approves",
            "await close(tx, self.parts, review, ReviewStatus.EXPIRED, ACTOR)\n        elif review.paused_at",
            (
                "await close(tx, self.parts, review, ReviewStatus.APPROVED, ACTOR)\n    "
                "    elif review.paused_at"
            ),
            (f"{GRAPHS}/test_deadlines.py",),
        ),
    ),
    *controls(
        "reviews",
        "graphs/acts.py",
        (
            "only leads give work to others",
            'if not self._manages(review, principal):\n            return NotEligible("only a lead',
            'if False:\n            return NotEligible("only a lead',
            (f"{STORIES}/test_review_acts.py",),
        ),
        (
            "a review is not flooded with words",
            "if len(await votes_on(tx, review.id)) >= MOST_SAID",
            "if False",
            (f"{STORIES}/test_review_acts.py",),
        ),
    ),
]
