"""A rule table of a workflow as it is shipped: its file, its facts, and the names it may use."""

from collections.abc import Iterable
from dataclasses import dataclass

from graphs.roles import read_text
from nodes.facts import Facts
from nodes.rule_lint import Vocabulary, load_table
from nodes.rules import RuleTable
from nodes.strict_yaml import TableUnfit, load_yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSource:
    """Where a table is and what it is read against."""

    package: str
    file: str
    facts: type[Facts]
    words: Vocabulary

    @property
    def path(self) -> str:
        """The file, from the project's root."""
        return f"{self.package.replace('.', '/')}/{self.file}"

    def load(self, text: str | None = None, source: str | None = None) -> RuleTable:
        """The shipped table, or another text in its place; raises TableUnfit naming file, row and field."""
        return load_table(
            read_text(self.package, self.file) if text is None else text,
            source=source or self.path,
            facts=self.facts,
            words=self.words,
        )


def source_for(text: str, path: str, sources: Iterable[TableSource]) -> TableSource:
    """The source whose tool a table is about; raises TableUnfit if there is none."""
    document = load_yaml(text, path)
    tool = document.get("tool") if isinstance(document, dict) else None
    known = {source.load().tool: source for source in sources}
    if not isinstance(tool, str) or tool not in known:
        raise TableUnfit(
            f"{path}: tool: {tool!r} is judged by no table; there are {', '.join(sorted(known))}"
        )
    return known[tool]
