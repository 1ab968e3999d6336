"""Talks to an open environment as the front does, without a socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from flitstack.emulator.core import Answer, Caller, Environment, Request

BASE = "http://localhost/api/data/v9.2/"


@dataclass
class Driver:
    """One caller on one environment; every method raises the emulator's Refusal."""

    environment: Environment
    user: UUID | None = None
    on_behalf_of: UUID | None = None

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        text = b"" if body is None else orjson.dumps(body)
        request = Request(method, path, query or {}, headers or {}, text, BASE)
        user = self.user or self.environment.application_user
        return self.environment.handle(request, Caller(user, on_behalf_of=self.on_behalf_of))

    def get(self, path: str, prefer: str = "", **options: str) -> Any:
        """The JSON body; `filter="x"` is sent as `$filter=x`."""
        answer = self.send("GET", path, None, {f"${k}": v for k, v in options.items()}, {"prefer": prefer})
        return orjson.loads(answer.body or b"null")

    def rows(self, path: str, **options: str) -> list[dict[str, Any]]:
        found = self.get(path, **options)["value"]
        assert isinstance(found, list)
        return found

    def create(self, entity_set: str, **body: object) -> str:
        """The new row's id; `a__b` in a name stands for `a@odata.b`."""
        named = {name.replace("__bind", "@odata.bind"): value for name, value in body.items()}
        answer = self.send("POST", entity_set, named)
        assert answer.status == 204
        return answer.headers["OData-EntityId"].rpartition("(")[2][:-1]

    def patch(self, path: str, **body: object) -> Answer:
        named = {name.replace("__bind", "@odata.bind"): value for name, value in body.items()}
        return self.send("PATCH", path, named)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def multiple(self, message: str, entity_set: str, table: str, rows: list[dict[str, object]]) -> Any:
        targets = [{"@odata.type": f"Microsoft.Dynamics.CRM.{table}", **row} for row in rows]
        answer = self.send("POST", f"{entity_set}/Microsoft.Dynamics.CRM.{message}", {"Targets": targets})
        return orjson.loads(answer.body) if answer.body else None
