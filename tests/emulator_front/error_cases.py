"""What the tables of errors are made of: a request, the code and the status it must meet."""

from collections.abc import Callable
from typing import Any

import pytest
from front_wire import Reply, Wire

ABSENT = "99999999-0000-4000-8000-000000000099"
ACCOUNT = "EntityDefinitions(LogicalName='account')"
CRM = "Microsoft.Dynamics.CRM."
LABEL = {"LocalizedLabels": [{"Label": "L", "LanguageCode": 1033}]}
TEXT = {"@odata.type": f"{CRM}StringAttributeMetadata", "MaxLength": 50, "DisplayName": LABEL}
MIXED = {"Content-Type": "multipart/mixed; boundary=b"}
Provoke = Callable[[Wire], Reply]
TABLE: list[Any] = []


def error(code: str, status: int) -> Callable[[Provoke], Provoke]:
    """Put a request into the table."""

    def put(provoke: Provoke) -> Provoke:
        TABLE.append(pytest.param(code, status, provoke, id=f"{code}-{provoke.__name__}"))
        return provoke

    return put


def plain(code: str, status: int, method: str, path: str, body: object = None, **headers: str) -> None:
    """One request without anything before it. In the name of a header `__` stands for a dot, `_` for a hyphen."""

    def provoke(wire: Wire) -> Reply:
        return wire.send(
            method, path, body, {name.replace("__", ".").replace("_", "-"): value for name, value in headers.items()}
        )

    provoke.__name__ = f"{method} {path}"[:60]
    error(code, status)(provoke)


def make(wire: Wire, entity_set: str, **values: object) -> str:
    """A new row's URL; `__bind` in a name stands for `@odata.bind`."""
    reply = wire.post(entity_set, {name.replace("__bind", "@odata.bind"): value for name, value in values.items()})
    assert reply.status == 204, reply.body
    return reply.entity


def id_of(url: str) -> str:
    """The id in a row's URL."""
    return url.partition("(")[2][:-1]
