"""Signed heads: their form is C2SP's to the byte, and nothing but what a known key signed is taken."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.notes import KeyUnfit, NoteUnfit, SignedHead, Signer, VerifierKey, read_note

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
ROOT = bytes(range(32))
SIGNER = Signer(name="example.com/log", private=Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer(name="example.com/log", private=Ed25519PrivateKey.from_private_bytes(b"1" * 32))
WITNESS = Signer(name="witness.example.com", private=Ed25519PrivateKey.from_private_bytes(b"2" * 32))
NOTE = SIGNER.sign(size=7, root=ROOT, at=NOW)
HEAD = SignedHead(origin="example.com/log", size=7, root=ROOT, at=NOW)


def signed(text: str, signer: Signer = SIGNER, name: str | None = None) -> str:
    """Any text, properly signed."""
    made = base64.b64encode(signer.key.id + signer.private.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name or signer.name} {made}\n"


def unfit(note: str, *keys: VerifierKey) -> str:
    with pytest.raises(NoteUnfit) as refused:
        read_note(note, keys or [SIGNER.key])
    return str(refused.value)


def test_a_note_is_written_as_the_specification_says() -> None:
    assert NOTE.splitlines()[:6] == [
        "example.com/log",
        "7",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "at 2026-11-20T12:30:00+00:00",
        "",
        NOTE.splitlines()[5],
    ]
    dash, name, made = NOTE.splitlines()[5].split(" ")
    assert (dash, name) == ("\u2014", "example.com/log")
    assert base64.b64decode(made)[:4] == SIGNER.key.id
    assert len(base64.b64decode(made)) == 4 + 64
    assert NOTE.endswith("\n")


def test_a_note_is_read_as_what_was_signed() -> None:
    assert read_note(NOTE, [SIGNER.key]) == HEAD


def test_a_note_of_another_implementation_is_read() -> None:
    """The example of the tlog-checkpoint specification has no time, and neither needs one here."""
    text = "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

    head = read_note(signed(text), [SIGNER.key])

    assert (head.size, head.at) == (20852163, None)


def test_a_known_key_of_the_go_checksum_database_is_read_and_written_the_same() -> None:
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

    assert str(VerifierKey.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/log",
        "+",
        "a+b+c",
        str(SIGNER.key) + " ",
        str(SIGNER.key) + "\n",
        str(SIGNER.key)[:-1],
        str(SIGNER.key).replace("example", "Example"),
        str(SIGNER.key).upper(),
        str(OTHER.key).replace(OTHER.key.id.hex(), SIGNER.key.id.hex()),
        str(VerifierKey(name="", public=bytes(32))),
        str(VerifierKey(name="a b", public=bytes(32))),
        str(VerifierKey(name="a\u2003b", public=bytes(32))),
        str(VerifierKey(name="a+b", public=bytes(32))),
        str(VerifierKey(name="a", public=bytes(31))),
        str(VerifierKey(name="a", public=bytes(33))),
        "é+00000000+é",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnfit):
        VerifierKey.parse(text)


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_a_note_with_another_letter_anywhere_is_refused(place: int, letter: str) -> None:
    if NOTE[place] != letter:
        unfit(NOTE[:place] + letter + NOTE[place + 1 :])


@given(st.integers(0, len(NOTE) - 1))
def test_a_note_without_one_of_its_letters_is_refused(place: int) -> None:
    unfit(NOTE[:place] + NOTE[place + 1 :])


def test_another_keys_note_is_refused_and_one_of_two_keys_is_enough() -> None:
    assert unfit(OTHER.sign(size=7, root=ROOT, at=NOW)) == "it is not signed with a key that is known"
    assert read_note(NOTE, [OTHER.key, SIGNER.key]) == HEAD
    assert unfit(NOTE, OTHER.key) == "it is not signed with a key that is known"
    with pytest.raises(NoteUnfit):
        read_note(NOTE, [])


def test_a_forged_signature_is_refused() -> None:
    made = base64.b64encode(SIGNER.key.id + OTHER.private.sign(HEAD.text.encode())).decode()

    assert unfit(f"{HEAD.text}\n\u2014 example.com/log {made}\n") == "its signature is forged"


def test_witnesses_may_sign_it_too_and_count_for_nothing_here() -> None:
    beside = signed(HEAD.text, WITNESS).rpartition("\n\n")[2]

    assert read_note(NOTE + beside, [SIGNER.key]).signatures == 2
    assert unfit(f"{HEAD.text}\n{beside}") == "it is not signed with a key that is known"
    assert "more than 16" in unfit(NOTE + beside * 16)


def test_one_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    wrong = signed("another text\n").rpartition("\n\n")[2]

    assert unfit(NOTE + wrong) == "its signature is forged"


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        "example.com/log\n",
        "example.com/log\n7\n",
        HEAD.text.replace("\n7\n", "\n07\n"),
        HEAD.text.replace("\n7\n", "\n-7\n"),
        HEAD.text.replace("\n7\n", "\n+7\n"),
        HEAD.text.replace("\n7\n", "\n\u0667\n"),
        HEAD.text.replace("\n7\n", "\n7_0\n"),
        HEAD.text.replace("Hh8=", "Hh8"),
        HEAD.text.replace("Hh8=", "Hh9="),
        HEAD.text.replace("AAEC", ""),
        HEAD.text.replace("+00:00", ""),
        HEAD.text.replace("+00:00", "Z"),
        HEAD.text.replace("12:30:00+00:00", "13:30:00+01:00"),
        HEAD.text.replace("at ", "on "),
        HEAD.text + "more\n",
        HEAD.text.replace("\nat ", "\n\nat "),
    ],
)
def test_a_text_that_is_no_head_is_refused_however_well_it_is_signed(text: str) -> None:
    assert unfit(signed(text)) == "its text is no head of a log"


def test_a_note_of_another_log_is_refused_though_the_key_is_known() -> None:
    text = HEAD.text.replace("example.com/log", "example.com/other")

    assert unfit(signed(text)) == "it speaks of another log than the one that signed it"


@pytest.mark.parametrize("letter", ["\x00", "\t", "\r", "\x1b", "\x7f"])
def test_a_note_has_no_control_characters(letter: str) -> None:
    assert unfit(signed(HEAD.text + f"{letter}\n")) == "it is no signed note"


def test_the_same_moment_is_signed_alike_in_every_zone() -> None:
    elsewhere = NOW.astimezone(tz=None) + timedelta()

    assert SIGNER.sign(size=7, root=ROOT, at=elsewhere) == NOTE


def test_the_private_key_is_in_no_repr() -> None:
    assert "private" not in repr(SIGNER)
