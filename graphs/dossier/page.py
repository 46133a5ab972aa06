"""The dossier as one HTML page: a pure function of the dossier, with nothing in it that is loaded or run."""

from jinja2 import Environment, TemplateError

from graphs.dossier.shapes import Dossier, DossierUnfit, read_dossier
from graphs.markup import environment
from graphs.record.decision_record import decision_record
from graphs.record.telling import lasted, moment, plain, story

_FROM = "graphs.dossier"
_TEMPLATE = "page.html.j2"


def dossier_page(dossier: Dossier) -> str:
    """The page; every text of it is escaped. Raises DossierUnfit, RecordUnfit."""
    try:
        return _drawn(read_dossier(dossier.to_bytes()))  # names in the order of the file, whoever made it
    except (TemplateError, KeyError, TypeError, AttributeError) as error:
        raise DossierUnfit(f"it cannot be drawn: {type(error).__name__}") from error


def _drawn(dossier: Dossier) -> str:
    record = decision_record(dossier.case, dossier.told)
    return (
        _environment(dossier)
        .get_template(_TEMPLATE)
        .render(
            dossier=dossier,
            record=record,
            story=story(record, dossier.opened),
            leaves=[event.leaf.hex() for event in dossier.told],
        )
    )


def _environment(dossier: Dossier) -> Environment:
    return environment(
        _FROM,
        clear=dossier.in_clear,
        plain=lambda value: plain(value, dossier.opened),
        moment=moment,
        lasted=lasted,
    )
