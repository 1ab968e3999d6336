"""Single values and special rows written past the rules of the data API, for tests and for seeding."""

from uuid import UUID

from flitstack.catalogue.types import Column
from flitstack.emulator.checkers import Stored
from flitstack.emulator.ddl import quoted
from flitstack.emulator.instance import Instance
from flitstack.emulator.messages import Refusal
from flitstack.emulator.seed import seed_id
from flitstack.emulator.values import guid_blob, guid_text, parse_instant, uuid_blob

_GUIDS = frozenset({"Uniqueidentifier", "Lookup", "Customer", "Owner"})
_NON_INTERACTIVE = 4


def stored_value(column: Column, value: object) -> Stored:
    """A JSON value as it lies in SQLite. Nothing is checked but that a GUID is one."""
    if column.type in _GUIDS and isinstance(value, str):
        blob = guid_blob(value)
        if blob is None:
            raise Refusal(400, "0x80040203", f"'{value}' is no GUID.")
        return blob
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, bool | int):
        return int(value)
    raise Refusal(400, "0x80040203", f"{column.name} does not hold a {type(value).__name__}.")


def set_cell(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """Overwrite one stored value; neither modifiedon nor the row version moves."""
    model = instance.environment.tables.get(str(body["table"]))
    column = model.stored.get(str(body["column"])) if model else None
    id_ = guid_blob(str(body["id"]))
    if model is None or column is None or id_ is None:
        raise Refusal(404, "0x80040217", f"There is no cell {body['table']}.{body['column']} of row {body['id']}.")
    connection = instance.environment.connection
    is_made = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (model.name,)).fetchone() is not None
    changed = 0
    with instance.environment.transaction():
        if is_made:
            rows, id_column = instance.environment.ensure_rows(model, [column.name]), quoted(model.table.id_column)
            sql = f"UPDATE {rows} SET {quoted(column.name)} = ? WHERE {id_column} = ?"
            changed = connection.execute(sql, (stored_value(column, body["value"]), id_)).rowcount
    if not changed:
        raise Refusal(404, "0x80040217", f"{model.name} With Id = {body['id']} Does Not Exist")
    return {"changed": changed}


def set_organization(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """Set columns of the organization row."""
    model = instance.environment.tables["organization"]
    stored = model.stored
    with instance.environment.transaction():
        for name, value in body.items():
            if name not in stored:
                raise Refusal(400, "0x80040203", f"organization has no column '{name}'.")
            sql = f"UPDATE {instance.environment.ensure_rows(model, [name])} SET {quoted(name)} = ?"
            instance.environment.connection.execute(sql, (stored_value(stored[name], value),))
    return {"changed": len(body)}


def add_client(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """An application that may sign in, with its application user (made when there is none)."""
    client, secret = UUID(str(body["client_id"])), str(body["secret"])
    row = instance.environment.connection.execute(
        "SELECT systemuserid FROM systemuser WHERE applicationid = ?", (uuid_blob(client),)
    ).fetchone()
    user = seed_id(f"application user {client}")
    if row is None:
        name = str(body.get("name", f"Application {client}"))
        instance.environment.put_row("systemuser", user, {
            "fullname": f"# {name}", "firstname": "#", "lastname": name, "domainname": f"{client}@emulator.invalid",
            "internalemailaddress": f"{client}@emulator.invalid", "applicationid": uuid_blob(client),
            "businessunitid": uuid_blob(seed_id("root business unit")), "accessmode": _NON_INTERACTIVE, "isdisabled": 0,
            "organizationid": uuid_blob(seed_id("organization")),
        })  # fmt: skip
    else:
        user = UUID(guid_text(row[0]))
    expires = parse_instant(str(body["expires"])) if "expires" in body else None
    if "expires" in body and expires is None:
        raise Refusal(400, "0x80040203", f"'{body['expires']}' is no date and time.")
    instance.doorkeeper.register(str(client), secret, user, expires)
    return {"systemuserid": str(user)}
