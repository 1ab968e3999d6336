"""Alternate keys: active at once, or pending for a while; failed when rows repeat a value.

Source: Microsoft Learn, "Define alternate keys for a table using the Web API".
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from flitstack.catalogue.types import Key
from flitstack.emulator.core import Document, EntityModel, Environment
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import read_label
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.relations import key_json

MAX_KEYS = 10
MAX_COLUMNS = 16
MAX_BYTES = 900
_TYPES = frozenset({"String", "Integer", "Decimal", "DateTime", "Lookup", "Picklist"})
# Keys whose index is not there (yet): name "table.key", {"columns", "active_at", "status", "extra"}.
_WAITING = "waiting_key"


def table_keys(live: Live, model: EntityModel) -> list[Json]:
    """The keys of a table, those without an index included."""
    found = [key_json(live, model, key, is_pending=False) for key in model.keys]
    for name, waiting in live.documents(_WAITING).items():
        table, _, key = name.partition(".")
        if table == model.name:
            document = key_json(live, model, Key(key, _columns(waiting["columns"])), is_pending=True)
            extra = waiting["extra"]
            schema_name = extra.get("schema_name", key) if isinstance(extra, dict) else key
            found.append({**document, "SchemaName": schema_name, "EntityKeyIndexStatus": waiting["status"]})
    return found


def create_key(live: Live, model: EntityModel, body: Json, now: datetime, delay: timedelta) -> str:
    """Check a definition, store it, and build the index unless it has to wait. The new MetadataId."""
    schema_name = str(body.get("SchemaName") or "")
    columns = _columns(body.get("KeyAttributes"))
    name = schema_name.lower()
    _check(live, model, name, columns)
    extra = {"schema_name": schema_name, "labels": read_label(body.get("DisplayName"), live.language)}
    active_at = (now + delay).isoformat()
    waiting: Json = {"columns": list(columns), "active_at": active_at, "status": "Pending", "extra": extra}
    live.environment.put_document(_WAITING, f"{model.name}.{name}", waiting)
    if not delay:
        activate_due(live.environment, now)
    return metadata_id("key", f"{model.name}.{name}")


def reactivate_key(live: Live, body: Json) -> None:
    """ReactivateEntityKey: try the index of a failed key again. Refusal 404 for a key that is not there.

    Source: Microsoft Learn, "ReactivateEntityKey Action".
    """
    full = f"{body.get('EntityLogicalName')}.{body.get('EntityKeyLogicalName')}"
    waiting = live.documents(_WAITING).get(full)
    if waiting is None:
        model = live.environment.tables.get(str(body.get("EntityLogicalName")))
        if model is None or all(key.name != body.get("EntityKeyLogicalName") for key in model.keys):
            raise Refusal(404, "0x80040217", f"The key {full} does not exist.")
        return
    active_at = (live.occasion.now + live.occasion.key_delay).isoformat()
    live.environment.put_document(_WAITING, full, {**waiting, "status": "Pending", "active_at": active_at})
    if not live.occasion.key_delay:
        activate_due(live.environment, live.occasion.now)


def activate_due(environment: Environment, now: datetime) -> bool:
    """Build the indexes whose time has come; whether any key is still waiting."""
    is_waiting = False
    for full, waiting in environment.documents(_WAITING).items():
        if waiting["status"] == "Failed":
            continue
        if datetime.fromisoformat(str(waiting["active_at"])) > now:
            is_waiting = True
            continue
        table, _, name = full.partition(".")
        extra = waiting["extra"]
        key = Key(name, _columns(waiting["columns"]))
        if _build(environment, table, key, extra if isinstance(extra, dict) else None):
            environment.drop_document(_WAITING, full)
        else:
            # As on the service: the definition stays, the status tells that rows repeat a value.
            environment.put_document(_WAITING, full, {**waiting, "status": "Failed"})
    return is_waiting


def _build(environment: Environment, table: str, key: Key, extra: Document | None) -> bool:
    """Whether the index could be built; when not, nothing is left of it although a transaction goes on around it."""
    try:
        with environment.savepoint():
            environment.put_key(table, key, extra)
    except Refusal:
        environment.reload()
        return False
    return True


def drop_key(environment: Environment, model: EntityModel, matches: Callable[[Json], bool], live: Live) -> None:
    """Remove the key that matches. Refusal 404."""
    for document in table_keys(live, model):
        if matches(document):
            name = str(document["LogicalName"])
            if document["EntityKeyIndexStatus"] == "Active":
                environment.drop_key(model.name, name)
            environment.drop_document(_WAITING, f"{model.name}.{name}")
            return
    raise Refusal(404, "0x80040217", f"The key does not exist on '{model.name}'.")


def _check(live: Live, model: EntityModel, name: str, columns: tuple[str, ...]) -> None:
    keys = table_keys(live, model)
    if not name or not columns:
        raise Refusal(400, "0x8006088F", "A key needs SchemaName and KeyAttributes.")
    if not model.table.is_customizable:
        raise not_customizable(model, "CanCreateAttributes")
    if any(key["LogicalName"] == name for key in keys):
        raise Refusal(400, "0x80060893", f"The entity key '{name}' already exists on '{model.name}'.")
    if any(set(_columns(key["KeyAttributes"])) == set(columns) for key in keys):
        raise Refusal(400, "0x80060894", f"A key with these columns already exists on '{model.name}'.")
    if len(keys) >= MAX_KEYS or len(columns) > MAX_COLUMNS:
        raise Refusal(400, "0x8006088F", f"A table takes {MAX_KEYS} keys of {MAX_COLUMNS} columns.")
    size_bytes = 0
    for column_name in columns:
        column = model.columns.get(column_name)
        if column is None or column.type not in _TYPES:
            raise Refusal(400, "0x8006088F", f"'{column_name}' of '{model.name}' cannot be part of a key.")
        size_bytes += 2 * (column.max_length or 0) if column.type == "String" else 16
    if size_bytes > MAX_BYTES:
        raise Refusal(400, "0x8006088F", f"The columns hold up to {size_bytes} bytes; a key takes {MAX_BYTES}.")


def not_customizable(model: EntityModel, condition: str) -> Refusal:
    """400 for a table that takes no additions."""
    return Refusal(
        400,
        "0x8004F026",
        f"The evaluation of the current component(name=Entity, id={metadata_id('table', model.name)}) in the current "
        f"operation (Create) failed during managed property evaluation of condition: '{condition}'.",
    )


def _columns(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
