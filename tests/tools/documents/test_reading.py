"""Documents from outside: their pages, and each way in which they cannot be read, by its name."""

import zlib
from datetime import timedelta
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from tools.documents.pdf_pages import pages_of
from tools.documents.reading import Bounds, Reader, Reading, Trouble
from tools.sandbox.vendors.pdf import pdf_of

PDF, TEXT = "application/pdf", "text/plain"
LINES = [["Legal name: Müller & Söhne (Holding)", r"a \ b"], ["IBAN: DE89 3704 0044 0532 0130 00"]]


def encrypted(password: str) -> bytes:
    writer = PdfWriter()
    writer.append(BytesIO(pdf_of(LINES)))
    writer.encrypt(password, algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def bomb() -> bytes:
    """A small file with a page that unpacks to more than anybody wants to hold."""
    stream = zlib.compress(b"\x00" * 200_000_000, 9)
    whole = pdf_of([["x"]])
    begin, end = whole.index(b"5 0 obj"), whole.index(b"xref")
    packed = b"5 0 obj\n<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(stream)
    return whole[:begin] + packed + stream + b"\nendstream\nendobj\n" + whole[end:]


async def test_a_pdf_is_read_page_by_page() -> None:
    reading = await Reader().read(pdf_of(LINES), PDF)

    assert reading.trouble is None
    assert [page.splitlines() for page in reading.pages] == LINES


async def test_in_a_text_a_form_feed_begins_a_page() -> None:
    assert await Reader().read("Größe\f2".encode(), TEXT) == Reading(pages=("Größe", "2"))


async def test_signs_that_nothing_can_store_are_replaced() -> None:
    reading = await Reader().read(b"a\x00b\x1b[31m\r\nc", TEXT)

    assert reading.pages == ("a�b�[31m\nc",)


PARAMS = [
    pytest.param(b"", PDF, Trouble.BROKEN, id="nothing"),
    pytest.param(b"%PDF-1.4\n" + bytes(range(256)) * 4, PDF, Trouble.BROKEN, id="garbage"),
    pytest.param(pdf_of(LINES)[:100], PDF, Trouble.BROKEN, id="cut off"),
    pytest.param(encrypted("secret"), PDF, Trouble.ENCRYPTED, id="encrypted"),
    pytest.param(encrypted(""), PDF, Trouble.ENCRYPTED, id="encrypted without a password"),
    pytest.param(pdf_of([[]]), PDF, Trouble.NO_TEXT, id="a scan"),
    pytest.param(b" \n\f ", TEXT, Trouble.NO_TEXT, id="blank"),
    pytest.param(b"\xff\xfe\x00", TEXT, Trouble.BROKEN, id="no UTF-8"),
    pytest.param(b"GIF89a", "image/gif", Trouble.UNKNOWN_TYPE, id="a picture"),
    pytest.param(b"<html>", PDF, Trouble.BROKEN, id="called a PDF"),
]


@pytest.mark.parametrize(("content", "content_type", "trouble"), PARAMS)
async def test_what_cannot_be_read_is_a_named_trouble(
    content: bytes, content_type: str, trouble: Trouble
) -> None:
    assert await Reader().read(content, content_type) == Reading(trouble=trouble)


SMALL = Bounds(size_bytes=3_000, pages=3, characters=60)


@pytest.mark.parametrize(
    ("content", "content_type", "trouble"),
    [
        (b"x" * 3_001, TEXT, Trouble.TOO_LARGE),
        (b"x" * 3_001, PDF, Trouble.TOO_LARGE),
        (b"1\f2\f3\f4", TEXT, Trouble.TOO_MANY_PAGES),
        (pdf_of([["x"]] * 4), PDF, Trouble.TOO_MANY_PAGES),
        (b"x" * 61, TEXT, Trouble.TOO_MUCH_TEXT),
        (pdf_of([["x" * 59]] * 2), PDF, Trouble.TOO_MUCH_TEXT),
    ],
)
async def test_a_document_beyond_the_bounds_is_not_read(
    content: bytes, content_type: str, trouble: Trouble
) -> None:
    assert await Reader(SMALL).read(content, content_type) == Reading(trouble=trouble)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"1\f2\f3", TEXT), (pdf_of([["x"]] * 3), PDF), (b"x" * 60, TEXT), (pdf_of([["x" * 58]]), PDF)],
)
async def test_up_to_the_bounds_it_is_read(content: bytes, content_type: str) -> None:
    assert (await Reader(SMALL).read(content, content_type)).trouble is None


async def test_what_takes_too_long_is_given_up_and_tried_afresh_the_next_time() -> None:
    hasty, patient = Bounds(time=timedelta(microseconds=1)), Bounds()
    reader = Reader(hasty)
    assert (await reader.read(pdf_of(LINES), PDF)).trouble is Trouble.TOO_SLOW

    assert reader._known == {}
    assert (await Reader(patient).read(pdf_of(LINES), PDF)).trouble is None


async def test_a_page_that_unpacks_to_too_much_is_no_page() -> None:
    reading = await Reader().read(bomb(), PDF)

    assert reading.pages == ()
    assert reading.trouble in {Trouble.BROKEN, Trouble.NO_TEXT, Trouble.TOO_MUCH_TEXT, Trouble.TOO_SLOW}


async def test_the_same_bytes_are_read_once() -> None:
    reader = Reader()
    first = await reader.read(pdf_of(LINES), PDF)

    assert await reader.read(pdf_of(LINES), PDF) is first
    assert await reader.read(pdf_of(LINES), TEXT) is not first


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pdf_with_any_byte_changed_is_pages_or_a_trouble(data: st.DataObject) -> None:
    whole = bytearray(pdf_of(LINES))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    found = pages_of(bytes(whole), most_pages=10, most_characters=1_000)
    assert found.keys() in ({"pages"}, {"trouble"})
