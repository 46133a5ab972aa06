"""The pages of one PDF: a process of its own, with nothing to lose; bytes on stdin, JSON on stdout.

What parses a stranger's bytes has no secrets, no more memory and time than it is given, and can be killed.
"""

import json
import logging
import resource
import sys
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

MEMORY_BYTES = 1_000_000_000
CPU_SECONDS = 8
BROKEN = (
    PyPdfError,
    DependencyError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a parser that was written for whole files comes to with a broken one."""


def pages_of(content: bytes, *, most_pages: int, most_characters: int) -> dict[str, Any]:
    """`{"pages": [text, …]}`, or `{"trouble": reason}`."""
    try:
        reader = PdfReader(BytesIO(content), strict=False)
        if reader.is_encrypted:
            return {"trouble": "encrypted"}
        if len(reader.pages) > most_pages:
            return {"trouble": "too_many_pages"}
        pages: list[str] = []
        for page in reader.pages:
            pages.append(page.extract_text())
            if sum(map(len, pages)) > most_characters:
                return {"trouble": "too_much_text"}
    except BROKEN:
        return {"trouble": "broken"}
    return {"pages": pages}


def main() -> None:
    """Read, within the limits, and say what is there."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    logging.disable()
    most_pages, most_characters = map(int, sys.argv[1:])
    found = pages_of(sys.stdin.buffer.read(), most_pages=most_pages, most_characters=most_characters)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
