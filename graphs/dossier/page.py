"""The dossier as one HTML page: a pure function of the dossier, with nothing in it that is loaded or run."""

import unicodedata
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError

from graphs.dossier.shapes import Dossier, DossierUnfit, read_dossier
from graphs.record.decision_record import decision_record
from graphs.record.telling import lasted, moment, plain, story

_KEPT = {"\n", "\t"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
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
    made = Environment(
        loader=PackageLoader(_FROM, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )
    filters: dict[str, Callable[..., Any]] = {
        "clear": dossier.in_clear,
        "plain": lambda value: plain(value, dossier.opened),
        "moment": moment,
        "lasted": lasted,
    }
    made.filters.update(filters)
    return made


def _finalized(value: Any) -> Any:
    """What is put out, with control, bidirectional and zero-width characters made visible."""
    if type(value) is not str:
        return "" if value is None else value
    return "".join(_visible(letter) for letter in value)


def _visible(letter: str) -> str:
    hidden = unicodedata.category(letter) in _INVISIBLE and letter not in _KEPT
    return f"\\u{ord(letter):04x}" if hidden else letter
