"""`countersign people …`: who may come in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from api.show import say
from graphs.clock import utc_now
from graphs.settings import Settings

people = typer.Typer(no_args_is_help=True, help="Who may come in: people and services of the people file.")


@people.command("add")
def add_person(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A short lower-case id.")],
    role: Annotated[list[str], typer.Option(help="A role; may be given several times.")],
    name: Annotated[str | None, typer.Option(help="The name to show.")] = None,
    days: Annotated[int, typer.Option(help="Days until the token expires.", min=1, max=366)] = 90,
) -> None:
    """Add a person, or give them a new token, which is shown once."""
    from graphs.people import PERSON_PREFIX, Person, new_token, read_people, write_people

    path = Settings.from_environment().people_file
    token, kept = new_token(PERSON_PREFIX, timedelta(days=days), utc_now())
    with _fitting():
        person = Person(id=id_, name=name or id_, roles=role, tokens=[kept])
    write_people(path, read_people(path).with_person(person))
    say(f"{id_} is in {path}. The token, shown this once:\n{token}")


@people.command("add-service")
def add_service(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A short lower-case id.")],
    scope: Annotated[
        list[str], typer.Option(help="cases:start, cases:read, cases:outcome or metrics:read; several.")
    ],
    name: Annotated[str | None, typer.Option(help="The name to show.")] = None,
    days: Annotated[int, typer.Option(help="Days until the key expires.", min=1, max=366)] = 90,
) -> None:
    """Add a service, or give it a new key, which is shown once."""
    from graphs.people import SERVICE_PREFIX, Service, new_token, read_people, write_people

    path = Settings.from_environment().people_file
    key, kept = new_token(SERVICE_PREFIX, timedelta(days=days), utc_now())
    with _fitting():
        service = Service(id=id_, name=name or id_, scopes=scope, keys=[kept])
    write_people(path, read_people(path).with_service(service))
    say(f"{id_} is in {path}. The key, shown this once:\n{key}")


@contextmanager
def _fitting() -> Iterator[None]:
    from pydantic import ValidationError

    from graphs.operators_file import first_fault

    try:
        yield
    except ValidationError as error:
        raise typer.BadParameter(first_fault(error)) from error
