"""In what one version of a rule table differs from another, row by row, in words."""

from nodes.rules import Consequence, Row, RuleTable, Rung
from nodes.windows import Window


def table_differences(before: RuleTable, after: RuleTable) -> list[dict[str, str]]:
    """What one table says otherwise than another: `[{where, change}]`."""
    old, new = _sayings(before), _sayings(after)
    changes = [{"where": place, "change": f"removed: {old[place]}"} for place in old if place not in new]
    changes += [{"where": place, "change": f"added: {new[place]}"} for place in new if place not in old]
    changes += [
        {"where": place, "change": f"{old[place]} -> {new[place]}"}
        for place in old
        if place in new and old[place] != new[place]
    ]
    words = {row.id: f"{row.says} ({row.policy})" for row in before.rows}
    changes += [
        {"where": f"row {row.id}", "change": f"is worded: {words[row.id]} -> {row.says} ({row.policy})"}
        for row in after.rows
        if row.id in words and words[row.id] != f"{row.says} ({row.policy})"
    ]
    if [place for place in old if place in new] != [place for place in new if place in old]:
        changes.append({"where": "order", "change": "the rows stand in another order"})
    return changes


def _sayings(table: RuleTable) -> dict[str, str]:
    head = {
        "hit": table.hit.value,
        **{f"window {name}": _window(window) for name, window in table.windows.items()},
        "default": _consequence(table.default),
    }
    return head | {f"row {row.id}": _row(row) for row in table.rows}


def _window(window: Window) -> str:
    return f"{window.measure} of {window.of or 'actions'} per {window.per} over {window.over}"


def _row(row: Row) -> str:
    return f"{' and '.join(test.says for test in row.when) or 'always'}: {_consequence(row.then)}"


def _consequence(then: Consequence) -> str:
    return f"{then.outcome} ({then.reason}){_asked(then)}{f', owner {then.owner}' if then.owner else ''}"


def _rung(rung: Rung) -> str:
    people = f"{rung.people} of " if rung.people > 1 else ""
    return f"{people}{rung.role}{f' in stage {rung.stage + 1}' if rung.stage else ''}"


def _asked(then: Consequence) -> str:
    if not then.ladder:
        return ""
    by = ", ".join(map(_rung, then.steps))
    above = f", above them {', '.join(then.above)}" if then.above else ""
    against = f", against the {then.against}" if then.against else ""
    working = " of working time" if then.working else ""
    hold = f", held for {then.hold}" if then.hold else ""
    return f" by {by} within {then.due}{working}, risk {then.risk}{above}{against}{hold}"
