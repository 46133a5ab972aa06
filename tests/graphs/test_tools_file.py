"""The tools file: systems outside, secrets by the names of variables, and every mistake with its place."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphs.outside import NOBODY, Outside
from graphs.tools_file import ToolsFileUnfit, read_tools
from tools.contract import Effect
from tools.outside.mcp import McpServer, OverHttp, OverStdio
from tools.outside.openapi import OpenApi

ENVIRONMENT = {"CRM_TOKEN": "hunter2", "BOOKS_URL": "postgresql://reader:hunter3@db.example.com/books"}
COLUMN = {"type": "text", "class": "internal", "trust": "record"}
WHOLE: dict[str, Any] = {
    "servers": {
        "stock": {
            "command": ["sh", "-c", "true"],
            "env": {"TOKEN": "CRM_TOKEN"},
            "tools": {"get_stock": {"open": ["sku"], "records": ["free"], "authority": []}},
        },
        "crm": {"url": "https://crm.example.com/mcp", "token_env": "CRM_TOKEN", "seconds": 20},
    },
    "apis": {
        "billing": {
            "document": "billing.yaml",
            "url": "https://billing.example.com/v1",
            "operations": ["getBill"],
            "token_env": "CRM_TOKEN",
        }
    },
    "databases": {
        "books": {
            "url_env": "BOOKS_URL",
            "sources": {
                "bills": {
                    "purpose": "The bills of a vendor.",
                    "query": "SELECT bill_id FROM bills WHERE vendor = %(vendor)s",
                    "parameters": {"vendor": COLUMN},
                    "columns": {"bill_id": COLUMN},
                }
            },
        }
    },
}


def read(folder: Path, content: Any, environment: dict[str, str] | None = None) -> Outside:
    path = folder / "tools.yaml"
    path.write_text(content if isinstance(content, str) else json.dumps(content))  # JSON is YAML
    return read_tools(path, ENVIRONMENT if environment is None else environment)


def changed(*path: str, to: Any) -> dict[str, Any]:
    """The whole file with one thing in it otherwise."""
    content: dict[str, Any] = json.loads(json.dumps(WHOLE))
    place = content
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = to
    return content


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    outside = read(tmp_path, WHOLE)

    stock, crm, billing = outside.providers.values()
    assert isinstance(stock, McpServer)
    assert isinstance(stock.over, OverStdio)
    assert stock.over.program.environment == {"TOKEN": "hunter2"}
    assert isinstance(crm, McpServer)
    assert isinstance(crm.over, OverHttp)
    assert (crm.over.headers, crm.timeout) == ({"Authorization": "Bearer hunter2"}, timedelta(seconds=20))
    assert not crm.over.guard.destinations[0].allow_private
    assert isinstance(billing, OpenApi)
    assert billing.document == tmp_path / "billing.yaml"
    (bills,) = outside.sources
    assert (bills.name, bills.effect) == ("books.bills", Effect.READ)
    settings = outside.settings_of("stock.get_stock")
    assert (settings.marking.open, settings.authority) == (frozenset({"sku"}), frozenset())
    assert outside.settings_of("stock.other").authority is None


def test_no_secret_and_no_address_is_on_the_record_or_shown(tmp_path: Path) -> None:
    outside = read(tmp_path, WHOLE)

    for word in ("hunter", "example.com"):
        assert word not in f"{outside.to_json()}{outside!r}"


def test_without_a_file_nobody_is_outside(tmp_path: Path) -> None:
    assert read_tools(None, {}) is NOBODY
    assert read_tools(tmp_path / "tools.yaml", {}) is NOBODY
    assert read(tmp_path, "").providers == {}


MISTAKES: dict[str, tuple[Any, str]] = {
    "an unknown word": (changed("servers", "crm", "urll", to="x"), "servers.crm.urll"),
    "neither command nor url": (changed("servers", "crm", to={}), "give either command or url"),
    "both": (changed("servers", "crm", "command", to=["sh"]), "give either command or url"),
    "a token of a command": (changed("servers", "stock", "token_env", to="CRM_TOKEN"), "of a url"),
    "an environment of a url": (changed("servers", "crm", "env", to={"A": "B"}), "of a command"),
    "no program": (changed("servers", "stock", "command", to=["/no/where"]), "servers.stock.command"),
    "plain http": (changed("servers", "crm", "url", to="http://crm.example.com/"), "servers.crm.url"),
    "a password in it": (changed("apis", "billing", "url", to="https://a:hunter9@b.c/"), "apis.billing.url"),
    "a variable that is not set": (changed("servers", "crm", "token_env", to="OTHER"), "OTHER is not set"),
    "a secret as a variable": (changed("databases", "books", "url_env", to="postgresql://x"), "url_env"),
    "allow_private as a word": (changed("servers", "crm", "allow_private", to="yes please"), "allow_private"),
    "no operation": (changed("apis", "billing", "operations", to=[]), "operations"),
    "a name twice": (changed("apis", "crm", to=WHOLE["apis"]["billing"]), "two systems are called crm"),
    "a name that is none": (changed("servers", "Crm-1", to={"command": ["sh"]}), "servers"),
    "a class that is none": (
        changed("databases", "books", "sources", "bills", "columns", "bill_id", to={"type": "text"}),
        "class",
    ),
    "a parameter too many": (
        changed("databases", "books", "sources", "bills", "query", to="SELECT 1"),
        "databases.books.sources.bills",
    ),
    "no YAML": ("servers: [", "cannot be read: line "),
    "a key twice": ("servers: {}\nservers: {}", "said twice"),
    "a list": ("- 1", "tools.yaml"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_no_secret(tmp_path: Path, mistake: str) -> None:
    content, named = MISTAKES[mistake]
    with pytest.raises(ToolsFileUnfit) as unfit:
        read(tmp_path, content)

    assert named in str(unfit.value)
    assert "hunter" not in str(unfit.value)


def test_a_token_that_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolsFileUnfit, match="cannot be sent"):
        read(tmp_path, WHOLE, ENVIRONMENT | {"CRM_TOKEN": "hunter2\r\nX: y"})
