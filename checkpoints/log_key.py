"""The log's private key: a file that only its owner reads, made once however many ask for it at once."""

import base64
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoints.errors import CheckpointsError
from checkpoints.notes import ED25519, Signer, VerifierKey

_PREFIX = "PRIVATE+KEY+"


class LogKeyUnfit(CheckpointsError):
    """The file of the log's key cannot be used."""


def signer_in(home: Path, configured: Path | None) -> Signer:
    """The signer whose key is configured, which must be there, else the one at home, made if there is none.

    Raises:
        LogKeyUnfit: the key is not there, or cannot be used.
    """
    return signer_at(home / "log.key") if configured is None else read_signer(configured)


def signer_at(path: Path) -> Signer:
    """The signer whose key is at this path, made if there is none.

    Raises:
        LogKeyUnfit: the file holds no key, others can read it, or it cannot be written.
    """
    try:
        if not path.exists():
            _make(path)
    except OSError as error:
        raise LogKeyUnfit(f"the log's key cannot be made at {path}: {error.strerror}") from error
    return read_signer(path)


def read_signer(path: Path) -> Signer:
    """The signer whose key is at this path; raises LogKeyUnfit."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise LogKeyUnfit(f"the log's key at {path} cannot be read") from error
    if mode & stat.S_IRWXO:
        raise LogKeyUnfit(f"everybody can get at the log's key: chmod 600 {path}")
    signer = _parse(text.removesuffix("\n"))
    if signer is None:
        raise LogKeyUnfit(f"{path} holds no key of a log")
    return signer


def _make(path: Path) -> None:
    """Write a new key beside its place and link it there, which only the first of many can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    public = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()
    signer = Signer(name=f"countersign/{public[:16]}", private=private)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_written(signer) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    except FileExistsError:
        return  # another process was first, and its key is the key
    finally:
        Path(beside).unlink()


def _written(signer: Signer) -> str:
    """The key in the form in which Go's note package writes private keys."""
    seed = base64.b64encode(ED25519 + signer.private.private_bytes_raw()).decode()
    return f"{_PREFIX}{signer.name}+{signer.key.id.hex()}+{seed}"


def _parse(text: str) -> Signer | None:
    name, _, rest = text.removeprefix(_PREFIX).partition("+")
    try:
        encoded = base64.b64decode(rest.partition("+")[2], validate=True)
        signer = Signer(name=name, private=Ed25519PrivateKey.from_private_bytes(encoded[1:]))
        VerifierKey.parse(str(signer.key))
    except ValueError:
        return None
    return signer if _written(signer) == text else None
