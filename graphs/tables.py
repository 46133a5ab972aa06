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
    """The source that a table is a version of: of several about its tool the one with its name.

    Raises:
        TableUnfit: no table is about this tool, or several are, and none of them has this name.
    """
    document = load_yaml(text, path)
    tool, name = (document.get(key) if isinstance(document, dict) else None for key in ("tool", "table"))
    known = [(source.load(), source) for source in sources]
    about = {table.name: source for table, source in known if table.tool == tool}
    if not about:
        tools = ", ".join(sorted({table.tool for table, _ in known}))
        raise TableUnfit(f"{path}: tool: {tool!r} is judged by no table; there are {tools}")
    if len(about) == 1:
        return next(iter(about.values()))
    if name not in about:
        raise TableUnfit(f"{path}: table: {tool} is judged by {', '.join(sorted(about))}, not by {name!r}")
    return about[name]
