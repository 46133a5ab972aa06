"""What Postgres derives of a review's row: when time has to do with it, how it sorts, and its words."""

import string
from typing import Any

WAKE_AT = (
    "CASE WHEN status <> 'open' THEN NULL"
    " WHEN paused_at IS NOT NULL THEN LEAST(info_until, expires_at)"
    " ELSE LEAST(remind_at, due_at, expires_at) END"
)
"""When time next does something to a review."""
AMOUNT_RANK = "COALESCE(amount_minor, '-1'::bigint)"
RISK_RANK = "CASE risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
"""By which lists of reviews are sorted, so that an index serves them."""
MARKS = string.punctuation
"""What stands between words, in reviews as in what they are searched for."""
_SAID = (
    "title || ' ' || id || ' ' || case_id || ' ' || tool || ' ' || coalesce(rule, '') || ' '"
    r" || coalesce(regexp_replace((action -> 'arguments')::text, '\\.', ' ', 'g'), '')"
)
_MOST_SAID = 100_000  # a tsvector holds a megabyte, and a row with more of it would be refused
_QUOTED = MARKS.replace("'", "''")
WORDS = (
    f"to_tsvector('simple'::regconfig, left(translate({_SAID}, "
    f"'{_QUOTED}', repeat(' ', {len(MARKS)})), {_MOST_SAID}))"
)
"""The words of a review: of its title, its ids and its arguments, as JSON without its escapes."""

OF_WORDS: dict[str, Any] = {"postgresql_using": "gin", "postgresql_with": {"fastupdate": "off"}}
"""How words are indexed: without the list of what is not sorted in yet, which each search reads whole."""
