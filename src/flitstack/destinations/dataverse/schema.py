"""Schema operations: applied when what they make is missing, reverted when it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from flitstack.catalogue.types import WIDER
from flitstack.destinations.dataverse import definitions
from flitstack.destinations.dataverse.client import Client, query_url
from flitstack.destinations.dataverse.definitions import Operation
from flitstack.destinations.dataverse.metadata import STRONG
from flitstack.destinations.faults import Fatal, Refused

Sleep = Callable[[float], Awaitable[None]]
# A key's index is built by a system job: minutes on a table with many rows, seconds on an empty one.
_KEY_POLL_S = (0.2, 0.5, 1.0, 2.0, *([5.0] * 120))
_JSON = {"Content-Type": "application/json"}


class SchemaWriter:
    """Makes and removes tables, columns, options, relationships and keys in one environment.

    `solution`: unique name of the unmanaged solution that what is made belongs to, besides the default one.
    """

    def __init__(self, client: Client, language: int, sleep: Sleep = asyncio.sleep, *, solution: str = "") -> None:
        self._client, self._language, self._sleep = client, language, sleep
        # Source: Microsoft Learn, "Create and update table definitions using the Web API" (solution header).
        self._headers = {"MSCRM.SolutionUniqueName": solution} if solution else {}

    async def apply(self, operation: Operation) -> None:
        """Make it unless it is there. Fatal for a kind nobody knows."""
        await self._method(operation, "apply")(operation)

    async def revert(self, operation: Operation) -> None:
        """Remove it if it is there."""
        await self._method(operation, "revert")(operation)

    def _method(self, operation: Operation, verb: str) -> Callable[[Operation], Awaitable[None]]:
        kinds: dict[str, tuple[Callable[[Operation], Awaitable[None]], Callable[[Operation], Awaitable[None]]]] = {
            "create_table": (self._create_table, self._drop_table),
            "add_column": (self._add_column, self._drop_column),
            "add_option": (self._add_option, self._drop_option),
            "widen_column": (self._widen_column, self._stay),
            "add_relationship": (self._add_relationship, self._drop_relationship),
            "add_key": (self._add_key, self._drop_key),
            "publish": (self._publish, self._publish),
        }
        found = kinds.get(operation["kind"])
        if found is None:
            raise Fatal(f"the schema operation {operation['kind']!r} is unknown")
        return found[0] if verb == "apply" else found[1]

    async def _create_table(self, operation: Operation) -> None:
        if await self._exists(_table(operation["table"])):
            return
        await self._client.post("EntityDefinitions", definitions.table_body(operation, self._language), self._headers)

    async def _drop_table(self, operation: Operation) -> None:
        await self._delete(_table(operation["table"]))

    async def _add_column(self, operation: Operation) -> None:
        if await self._exists(_column(operation)):
            return
        if operation["type"] == "Lookup":
            target = await self._client.find(
                query_url(_table(operation["targets"][0]), select="PrimaryIdAttribute"), STRONG
            )
            target_id = (target or {}).get("PrimaryIdAttribute", f"{operation['targets'][0]}id")
            body = definitions.lookup_body({**operation, "target_id": target_id}, self._language)
            await self._client.post("RelationshipDefinitions", body, self._headers)
            return
        path = f"{_table(operation['table'])}/Attributes"
        await self._client.post(path, definitions.column_body(operation, self._language), self._headers)

    async def _drop_column(self, operation: Operation) -> None:
        if operation["type"] == "Lookup":
            await self._delete(f"RelationshipDefinitions(SchemaName='{definitions.lookup_relationship(operation)}')")
        else:
            await self._delete(_column(operation))

    async def _add_option(self, operation: Operation) -> None:
        options = await self._options(operation)
        if options is None:
            raise Fatal(f"{operation['table']}.{operation['name']} is no choice column")
        if operation["value"] in options:
            return
        body = {
            **_option_of(operation),
            "Value": operation["value"],
            "Label": definitions.label(operation["label"], self._language),
        }
        await self._client.post("InsertOptionValue", body)

    async def _drop_option(self, operation: Operation) -> None:
        if operation["value"] in (await self._options(operation) or ()):
            await self._client.post("DeleteOptionValue", {**_option_of(operation), "Value": operation["value"]})

    async def _widen_column(self, operation: Operation) -> None:
        """Source: Microsoft Learn, "Create and update column definitions using the Web API": PUT of the whole definition."""
        kind = f"Microsoft.Dynamics.CRM.{operation['type']}AttributeMetadata"
        found = await self._client.find(f"{_column(operation)}/{kind}", STRONG)
        if found is None:
            raise Fatal(f"{operation['table']}.{operation['name']} is no column of type {operation['type']}")
        # The definition's members are the catalogue's facts in camel case: max_length is MaxLength.
        wider = {fact.title().replace("_", ""): operation[m] for m, (fact, _) in WIDER.items() if m in operation}
        if all(found.get(name) == value for name, value in wider.items()):
            return
        definition = {name: value for name, value in found.items() if not name.startswith("@odata.")}
        body = orjson.dumps({"@odata.type": kind, **definition, **wider})
        await self._client.send("PUT", _column(operation), body, {**_JSON, "MSCRM.MergeLabels": "true"})

    async def _stay(self, operation: Operation) -> None:
        """What became wider stays so: the platform takes no smaller length, and the column goes as a whole."""

    async def _options(self, operation: Operation) -> set[int] | None:
        """Values of the column's options, None when there is no such choice column."""
        for kind in ("Picklist", "MultiSelectPicklist"):
            cast = f"{_column(operation)}/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"
            path = query_url(cast, select="LogicalName", expand="OptionSet,GlobalOptionSet")
            found = await self._client.find(path, STRONG)
            if found is not None:
                option_set = found.get("OptionSet") or found.get("GlobalOptionSet") or {}
                return {option["Value"] for option in option_set.get("Options", ())}
        return None

    async def _add_relationship(self, operation: Operation) -> None:
        if not await self._exists(f"RelationshipDefinitions(SchemaName='{operation['name']}')"):
            await self._client.post("RelationshipDefinitions", definitions.relationship_body(operation), self._headers)

    async def _drop_relationship(self, operation: Operation) -> None:
        await self._delete(f"RelationshipDefinitions(SchemaName='{operation['name']}')")

    async def _add_key(self, operation: Operation) -> None:
        """Returns when the key is active: before that it protects nothing."""
        if await self._key(operation) is None:
            path = f"{_table(operation['table'])}/Keys"
            await self._client.post(path, definitions.key_body(operation, self._language), self._headers)
        for wait_s in _KEY_POLL_S:
            key = await self._key(operation) or {}
            status = key.get("EntityKeyIndexStatus", "Pending")
            if status == "Active":
                return
            if status == "Failed":
                raise Fatal(
                    f"the index of key {operation['name']} on {operation['table']} failed: rows repeat its value"
                )
            await self._sleep(wait_s)
        raise Fatal(f"the index of key {operation['name']} on {operation['table']} is still not active")

    async def _drop_key(self, operation: Operation) -> None:
        key = await self._key(operation)
        if key is not None:
            await self._delete(f"{_table(operation['table'])}/Keys({key['MetadataId']})")

    async def _key(self, operation: Operation) -> dict[str, Any] | None:
        found = await self._client.find(f"{_table(operation['table'])}/Keys", STRONG)
        keys: list[dict[str, Any]] = (found or {}).get("value", [])
        return next((k for k in keys if k["SchemaName"].lower() == operation["name"].lower()), None)

    async def _publish(self, operation: Operation) -> None:
        await self._client.post("PublishAllXml", {})

    async def _exists(self, path: str) -> bool:
        return await self._client.find(path, STRONG) is not None

    async def _delete(self, path: str) -> None:
        try:
            await self._client.send("DELETE", path, headers=_JSON)
        except Refused as fault:
            if fault.refusal.status != 404:
                raise


def _table(name: str) -> str:
    return f"EntityDefinitions(LogicalName='{name}')"


def _column(operation: Operation) -> str:
    return f"{_table(operation['table'])}/Attributes(LogicalName='{operation['name'].lower()}')"


def _option_of(operation: Operation) -> dict[str, str]:
    return {"EntityLogicalName": operation["table"], "AttributeLogicalName": operation["name"]}
