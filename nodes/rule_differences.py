"""In what one version of a rule table differs from another, row by row, in words."""

from nodes.rules import Consequence, Row, RuleTable


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
    if [place for place in old if place in new] != [place for place in new if place in old]:
        changes.append({"where": "order", "change": "the rows stand in another order"})
    return changes


def _sayings(table: RuleTable) -> dict[str, str]:
    head = {
        "hit": table.hit.value,
        **{f"window {name}": f"{w.measure} per {w.per} over {w.over}" for name, w in table.windows.items()},
        "default": _consequence(table.default),
    }
    return head | {f"row {row.id}": _row(row) for row in table.rows}


def _row(row: Row) -> str:
    return f"{' and '.join(test.says for test in row.when) or 'always'}: {_consequence(row.then)}"


def _consequence(then: Consequence) -> str:
    by = f" by {', '.join(then.ladder)} within {then.due}, risk {then.risk}" if then.ladder else ""
    return f"{then.outcome} ({then.reason}){by}{f', owner {then.owner}' if then.owner else ''}"
