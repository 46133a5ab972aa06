"""A file of the operator: read strictly, or refused in one line that quotes nothing of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from nodes.strict_yaml import TableUnfit, load_yaml

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")]
"""The name of an environment variable, in which a secret or an address stands instead of in the file."""


C = TypeVar("C", bound=BaseModel)


def read_file(
    path: Path | None, shape: type[C], unfit: Callable[[str], Exception], *, empty: Any = None
) -> C | None:
    """What the file says, None if there is none; `empty` is what one with nothing in it counts as.

    Raises:
        Exception: what `unfit` makes of the one line that says what is odd about the file.
    """
    if path is None:
        return None
    try:
        document = load_yaml(path.read_text(encoding="utf-8"), str(path))
        return shape.model_validate(empty if document is None else document)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise unfit(f"{path}: {first_fault(error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise unfit(f"{path} cannot be read: {_one_line(error)}") from error
    except TableUnfit as error:
        raise unfit(f"{path} cannot be read: {_unquoted(error)}") from None


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong, in one line, without the value: it may be a token."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")


def _one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _unquoted(error: TableUnfit) -> str:
    """What is the matter with the YAML, without the piece of the file that it would quote."""
    cause = error.__cause__
    return _one_line(cause) if isinstance(cause, yaml.YAMLError) else "it is nested too deeply"
