"""Names as a watch list compares them: normalised, and how alike two of them are."""

import re
import unicodedata
from difflib import SequenceMatcher

_LEGAL_FORM = re.compile(
    r"ag|bv|co|corp|gmbh|inc|kg|lda|limited|llc|ltd|nv|oao|ohg|ooo|plc|pty|sa|sarl|sas|spa|srl|ug"
)
"""What says how a company is made, and nothing of which one it is."""
_WHOLE = 100
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe"})


def normalised(name: str) -> str:
    """The words of a name without case, accents, signs and legal forms, in the order of the alphabet.

    If nothing but a legal form is left, that is the name.
    """
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    # dots and apostrophes stand within words, other signs between them
    letters = "".join(
        sign
        if sign.isalnum()
        else ""
        if sign in ".'\N{RIGHT SINGLE QUOTATION MARK}" or unicodedata.combining(sign)
        else " "
        for sign in plain
    )
    words = letters.split()
    return " ".join(sorted([word for word in words if not _LEGAL_FORM.fullmatch(word)] or words))


def likeness(one: str, other: str) -> int:
    """How alike two names are, from 0 to 100.

    Twice the letters in matching runs over all letters of both (Ratcliff and Obershelp), of the normalised
    names; rounded down, so that only the same name is 100.
    """
    left, right = normalised(one), normalised(other)
    if not left or not right:
        return 0
    return int(SequenceMatcher(None, left, right, autojunk=False).ratio() * _WHOLE)
