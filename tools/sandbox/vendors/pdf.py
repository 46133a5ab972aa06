"""PDFs as the company's vendors send them: a few pages of plain lines, written by hand (ISO 32000-1, 7.5)."""

from collections.abc import Iterable, Sequence

_FIRST_PAGE = 4  # objects 1 to 3 are the catalogue, the list of pages and the font
_CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def pdf_of(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with these lines on each page; raises UnicodeEncodeError for what WinAnsi does not know."""
    places = range(_FIRST_PAGE, _FIRST_PAGE + 2 * len(pages), 2)
    kids = " ".join(f"{place} 0 R" for place in places)
    objects = [_CATALOGUE, f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(), _FONT]
    for place, lines in zip(places, pages, strict=True):
        content = _content(lines)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {place + 1} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    return _file(objects)


def _content(lines: Iterable[str]) -> bytes:
    shown = b"".join(b"(" + _escaped(line) + b") Tj T*\n" for line in lines)
    return b"BT /F1 11 Tf 16 TL 60 780 Td\n" + shown + b"ET"


def _escaped(line: str) -> bytes:
    plain = line.encode("cp1252")
    return plain.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: Sequence[bytes]) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, item in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    xref = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    return body + xref + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body)
