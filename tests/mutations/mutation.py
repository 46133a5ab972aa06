"""A control, as the edit that removes it and the tests that should notice."""

from dataclasses import dataclass

NODES, STORIES, BITES, CHECKS, GRAPHS, API = (
    "tests/nodes",
    "tests/stories",
    "tests/bites",
    "tests/checkpoints",
    "tests/graphs",
    "tests/api",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation:
    """One control gone.

    Attributes:
        control: what would no longer hold.
        old: the text that is the control; it stands in the file once.
        new: what stands there without it.
        tests: files or test ids, of which at least one must turn red.
    """

    area: str
    control: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, whole: str) -> str:
        """The file without the control; raises AssertionError if the control is not where it was."""
        assert whole.count(self.old) == 1, (
            f"{self.file}: {self.control}: stands {whole.count(self.old)} times"
        )
        return whole.replace(self.old, self.new)


def controls(area: str, file: str, *mutations: tuple[str, str, str, tuple[str, ...]]) -> list[Mutation]:
    """Controls in one file, each `(control, old, new, tests)`."""
    return [
        Mutation(area=area, file=file, control=control, old=old, new=new, tests=tests)
        for control, old, new, tests in mutations
    ]


GATEWAY_TESTS = (f"{NODES}/test_gateway.py", f"{NODES}/test_gateway_binding.py")
FORGED_TESTS = (f"{BITES}/test_forged_state.py", f"{BITES}/test_forged_verdicts.py")
KNOWN_TESTS = (f"{BITES}/test_known_bites.py",)
WHO_TESTS = (f"{STORIES}/test_who_may_sign.py",)
RULES_TESTS = (f"{NODES}/test_rules.py", f"{NODES}/test_rule_files.py")
LINT_TESTS = (f"{NODES}/test_rule_lint.py",)
