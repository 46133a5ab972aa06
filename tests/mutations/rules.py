"""What guards the rules, and who may do what."""

from tests.mutations.mutation import (
    API,
    GRAPHS,
    LINT_TESTS,
    NODES,
    RULES_TESTS,
    WHO_TESTS,
    Mutation,
    controls,
)

CONTROLS: list[Mutation] = [
    *controls(
        "rules",
        "nodes/rules.py",
        (
            "the strictest row decides where all that match do",
            "_STRICTEST_FIRST = (Outcome.REFUSE, Outcome.INVESTIGATE, Outcome.REVIEW, Outcome.ALLOW)",
            "_STRICTEST_FIRST = (Outcome.ALLOW, Outcome.REVIEW, Outcome.INVESTIGATE, Outcome.REFUSE)",
            RULES_TESTS,
        ),
    ),
    *controls(
        "rules",
        "nodes/rule_lint.py",
        ("a gap is an error", "        *_gaps(table, space, boxes),\n", "", LINT_TESTS),
        (
            "an overlap with a row that allows is an error",
            "        *_overlaps(table, space, boxes),\n",
            "",
            LINT_TESTS,
        ),
        ("a row that allows names every fact", "        *_allows(table, facts),\n", "", LINT_TESTS),
        (
            "a row that is never reached is an error",
            "        *_reach(table, space, boxes),\n",
            "",
            LINT_TESTS,
        ),
        ("a role that does not exist is an error", "        *_names(table, words),\n", "", LINT_TESTS),
        (
            "a measured fact has its window",
            "        *_windows(table, facts),\n",
            "",
            (*LINT_TESTS, f"{NODES}/test_windows.py"),
        ),
        ("examples hold", "        *_examples(table, facts),\n", "", LINT_TESTS),
    ),
    *controls(
        "rules",
        "graphs/rule_changes.py",
        (
            "a draft is put in force by another",
            "if drafters & {principal.actor, principal.eyes}:",
            "if False:",
            (f"{GRAPHS}/test_rule_changes.py",),
        ),
        (
            "only keepers change rules",
            "return None if permit.allowed else permit.why",
            "return None",
            (f"{GRAPHS}/test_rule_changes.py", f"{API}/test_rule_tables.py"),
        ),
        (
            "a stale draft is refused",
            "if (before.digest if before else None) != draft.replaces:",
            "if False:",
            (f"{GRAPHS}/test_rule_changes.py",),
        ),
    ),
    *controls(
        "permissions",
        "nodes/permissions.py",
        (
            "a denial outweighs whatever gives",
            "if denied:\n            return Permit(False",
            "if False:\n            return Permit(False",
            (f"{NODES}/test_permissions.py",),
        ),
        (
            "what nobody gave is denied",
            "if given is None:\n            return Permit(False",
            "if False:\n            return Permit(False",
            (f"{NODES}/test_permissions.py",),
        ),
        (
            "a limit of another currency covers nothing",
            "return limit.currency == amount.currency and amount <= limit",
            "return limit.currency != amount.currency or amount <= limit",
            (f"{NODES}/test_permissions.py",),
        ),
        (
            "a limit is a limit",
            "if self.limit is not None and not _within(amount, self.limit):",
            "if False:",
            (f"{NODES}/test_permissions.py",),
        ),
        (
            "a daily limit counts what was spent",
            "return _within(total, self.per_day)",
            "return _within(amount, self.per_day)",
            (f"{NODES}/test_permissions.py", *WHO_TESTS),
        ),
    ),
    *controls(
        "permissions",
        "api/access.py",
        (
            "a route is called by whom the table names",
            "if not may_call(principal, route.name).allowed:",
            "if False:",
            (f"{API}/test_access.py",),
        ),
    ),
]
