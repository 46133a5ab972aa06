"""The catalogue: the workflows that there are, found by looking for kits in packages."""

import pkgutil
from collections.abc import Iterable
from importlib import import_module

import graphs
from graphs.kit import Kit, KitUnfit, require_distinct
from graphs.tables import TableSource


def find_kits(packages: Iterable[str] = ()) -> tuple[Kit, ...]:
    """The kits of the packages below `graphs`, and of others by name, in the order of their names.

    A package is a workflow if it has a `KIT`.

    Raises:
        KitUnfit: a named package is not there or has no kit, or two kits share a name.
    """
    shipped = (_kit(f"graphs.{found.name}") for found in pkgutil.iter_modules(graphs.__path__) if found.ispkg)
    kits = [kit for kit in shipped if kit is not None]
    for package in packages:
        try:
            kit = _kit(package)
        except ModuleNotFoundError as missing:
            raise KitUnfit(f"{package}: there is no {missing.name} to import") from missing
        if kit is None:
            raise KitUnfit(f"{package}: there is no KIT in it")
        kits.append(kit)
    require_distinct(kits)
    return tuple(sorted(kits, key=lambda kit: kit.name))


def _kit(package: str) -> Kit | None:
    found = getattr(import_module(package), "KIT", None)
    return found if isinstance(found, Kit) else None


def all_tables(kits: Iterable[Kit]) -> tuple[TableSource, ...]:
    """The rule tables of these workflows."""
    return tuple(table for kit in kits for table in kit.tables())
