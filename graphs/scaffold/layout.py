"""Laying out: a new workflow is the sample, every file of it, under another name."""

import importlib.util
import keyword
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import graphs

SAMPLE = "sample"
_PACKAGE = f"graphs.scaffold.{SAMPLE}"
_NAME = re.compile(r"[a-z][a-z_]{1,23}")


class NameUnfit(Exception):
    """The name cannot be a workflow's."""


class FolderUnfit(Exception):
    """A workflow cannot be laid out here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaidOut:
    """A workflow that was laid out.

    Attributes:
        files: relative to the folder.
        root: the folder from which the package is imported.
        shipped: it lies beside the shipped ones and is found by itself.
        importable: Python looks for packages in its root.
    """

    name: str
    package: str
    folder: Path
    files: tuple[str, ...]
    root: Path
    shipped: bool
    importable: bool


def lay_out(name: str, into: Path, taken: Collection[str] = ()) -> LaidOut:
    """Write the sample into a new folder under another name; nothing that is there is touched.

    Args:
        name: the workflow's, in lower-case letters and underscores.
        into: the folder in which the new one is made.
        taken: names of workflows that there are.

    Raises:
        NameUnfit, FolderUnfit: with what is wrong, and nothing was written.
    """
    _require_name(name, taken)
    folder = into.resolve() / name
    if not into.is_dir():
        raise FolderUnfit(f"{into} is no folder")
    if folder.exists() or folder.with_suffix(".py").exists():
        raise FolderUnfit(f"{into / name} is there already")
    root, package = _import_name(folder)
    if _is_importable(package):
        raise FolderUnfit(f"there is a package {package} already, and Python would find either")
    files = {_renamed(path, name): _written(text, package, name) for path, text in _sample()}
    folder.mkdir()
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    shipped = folder.parent in _places(graphs.__path__)
    return LaidOut(
        name=name,
        package=package,
        folder=folder,
        files=tuple(sorted(files)),
        root=root,
        shipped=shipped,
        importable=shipped or root in _places(sys.path),
    )


def _require_name(name: str, taken: Collection[str]) -> None:
    if not _NAME.fullmatch(name):
        raise NameUnfit(f"{name!r}: 2 to 24 lower-case letters and underscores, a letter first")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise NameUnfit(f"{name!r} is a word of Python's")
    if name in {SAMPLE, *taken}:
        raise NameUnfit(f"there is a workflow {name} already")


def _import_name(folder: Path) -> tuple[Path, str]:
    """Where Python has to begin to look for the folder, and as what it finds it."""
    parts, root = [folder.name], folder.parent
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)


def _places(paths: Iterable[str]) -> set[Path]:
    return {Path(path).resolve() for path in paths}


def _is_importable(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # what it lies in cannot be imported, and so it neither
        return False


def _sample() -> list[tuple[str, str]]:
    return list(_texts(resources.files(_PACKAGE), ""))


def _texts(folder: Traversable, below: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found += _texts(item, f"{below}{item.name}/")
        elif item.name.endswith((".py", ".yaml", ".md")):
            found.append((f"{below}{item.name}", item.read_text(encoding="utf-8")))
    return found


def _renamed(path: str, name: str) -> str:
    return path.replace(SAMPLE, name)


def _written(text: str, package: str, name: str) -> str:
    return text.replace(_PACKAGE, package).replace(SAMPLE, name)
