"""Search: past incidents that speak of the same things, by Postgres' full-text search."""

from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, Marked, Record, Tool, Trust
from tools.sandbox.database import Sandbox, many
from tools.sandbox.operations.names import IncidentId, ServiceId, Severity

MOST_FOUND = 5
SHARED = 3
"""Of so many words that are asked for, one at least must be found."""


class SimilarIncident(Record):
    """A past incident, what it came from, and how well it fits.

    Attributes:
        rank_permille: Postgres' ts_rank, weighted title before summary before cause, as thousandths of 1.
        shared_words: how many of the words that were asked for are in it.
    """

    incident_id: IncidentId
    service_id: ServiceId
    severity: Severity
    title: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    summary: Annotated[str, Marked(trust=Trust.UNTRUSTED)]
    cause: str | None
    rank_permille: int
    shared_words: int


class SimilarIncidents(Record):
    """Past incidents that fit, the best first; none is an answer too."""

    incidents: tuple[SimilarIncident, ...]


class SearchIncidents(Arguments):
    """The words to search for; plain words, no operators."""

    words: Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=2000)]


# Any of the words will do, so the query that Postgres makes of them is or-ed; what it quotes stays quoted.
_SEARCH = """
    WITH wanted AS (
        SELECT tsvector_to_array(to_tsvector('english', %s)) AS lexemes,
               replace(plainto_tsquery('english', %s)::text, ' & ', ' | ')::tsquery AS query
    ), matched AS (
        SELECT incidents.*, (1000 * ts_rank(document, query, 32))::integer AS rank_permille,
               cardinality(ARRAY(SELECT unnest(tsvector_to_array(document)) INTERSECT SELECT unnest(lexemes)))
                   AS shared_words, cardinality(lexemes) AS asked_words
        FROM wanted CROSS JOIN LATERAL (
            SELECT * FROM incidents WHERE document @@ query AND status = 'resolved'
        ) incidents
    )
    SELECT {columns} FROM matched WHERE shared_words >= 2 AND shared_words * %s >= asked_words
    ORDER BY rank_permille DESC, resolved_at DESC, incident_id LIMIT %s
"""


def search_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tool that finds past incidents."""

    async def search(arguments: SearchIncidents, _call: Call) -> SimilarIncidents:
        async with sandbox.reading() as connection:
            values = (arguments.words, arguments.words, SHARED, MOST_FOUND)
            found = await many(connection, SimilarIncident, _SEARCH, *values)
        return SimilarIncidents(incidents=tuple(found))

    return (
        Tool(
            name="incidents.search",
            version="1",
            purpose="Search the incidents that are over for those that speak of the same things.",
            effect=Effect.READ,
            arguments=SearchIncidents,
            result=SimilarIncidents,
            perform=search,
            idempotent=True,
        ),
    )
