"""Making, changing and removing tables.

Source: Microsoft Learn, "Create and update table definitions using the Web API".
"""

from dataclasses import replace

from flitstack.catalogue.types import Column, OneToMany, Option, State, Table
from flitstack.emulator.core import EntityModel
from flitstack.emulator.ddl import quoted, type_column
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.metadata.attachables import (
    attach_activities,
    attach_connections,
    attach_documents,
    attach_notes,
    detach,
)
from flitstack.emulator.metadata.bodies import Body, kind_of, texts_of, wrong
from flitstack.emulator.metadata.column_parse import read_column
from flitstack.emulator.metadata.columns import changed_texts, create_column, fit_option_set, in_use
from flitstack.emulator.metadata.entities import FIRST_CUSTOM_CODE
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.names import checked_name, plural_of
from flitstack.emulator.metadata.system_columns import AUDIT, OWNERSHIP

_STATES = (State(0, "Active", 1, (Option(1, "Active", 0),)), State(1, "Inactive", 2, (Option(2, "Inactive", 1),)))
_MESSAGES = frozenset(
    {
        "Create", "CreateMultiple", "Delete", "Retrieve", "RetrieveMultiple", "SetState", "Update", "UpdateMultiple",
        "Upsert", "UpsertMultiple",
    }
)  # fmt: skip
_USER_MESSAGES = frozenset({"Assign", "GrantAccess", "ModifyAccess", "RevokeAccess", "RetrievePrincipalAccess"})


def create_table(live: Live, body: Body) -> str:
    """A custom table with its primary name column and further columns of the body. The logical name."""
    schema_name = checked_name(body.get("SchemaName"), "table")
    name = schema_name.lower()
    ownership = body.get("OwnershipType")
    if ownership in {None, "", "None"}:  # what the client library dataverse-api sends unless told otherwise
        ownership = "UserOwned"
    if name in live.environment.tables:
        raise Refusal(
            400, "0x8004700B", f"An entity with the specified name {name} already exists. Specify a unique name."
        )
    check_quota(live)
    if ownership not in OWNERSHIP:
        raise wrong(f"'{ownership}' is no OwnershipType of a new table.")
    if body.get("IsActivity"):
        raise not_implemented("a custom activity table")
    attributes = body.get("Attributes") or []
    primary = next((item for item in attributes if item.get("IsPrimaryName")), None)
    if primary is None or kind_of(primary) != "StringAttributeMetadata":
        raise wrong("Attributes holds one String column with IsPrimaryName.")
    name_column = fit_option_set(name, read_column(live, primary))
    table = _table(live, body, schema_name, ownership, name_column.column)
    extra = texts_of(body, live.language)
    extra["plural_labels"] = read_label(body.get("DisplayCollectionName"), live.language)
    live.environment.define_table(table, extra)
    live.environment.put_column(name, name_column.column, name_column.extra)
    _relate_system_columns(live, table)
    for item in attributes:
        if item is not primary:
            create_column(live, live.environment.tables[name], item)
    if table.has_notes:
        attach_notes(live, table)
    if table.has_activities:
        attach_activities(live, table)
    if table.has_connections:
        attach_connections(live, table)
    if table.has_document_locations:
        attach_documents(live, table)
    return name


def check_quota(live: Live, new: int = 1, code: str = "0x8004B042") -> None:
    """Refusal 400 when so many more custom tables are more than the licence has room for."""
    limit = live.occasion.max_custom_tables
    known = sum(model.is_custom for model in live.environment.tables.values())
    if limit is not None and known + new > limit:
        raise Refusal(
            400,
            code,
            f"{new} more custom entities would exceed the custom entity limits of this organization ({limit}).",
        )


def _table(live: Live, body: Body, schema_name: str, ownership: str, name_column: Column) -> Table:
    name = schema_name.lower()
    label = base_text(read_label(body.get("DisplayName"), live.language), live.language, schema_name)
    plural = base_text(read_label(body.get("DisplayCollectionName"), live.language), live.language, f"{label}s")
    taken = {model.table.entity_set for model in live.environment.tables.values()}
    entity_set = str(body.get("EntitySetName") or plural_of(name))
    if entity_set in taken:
        raise Refusal(400, "0x8004700B", f"An entity set with the name {entity_set} already exists.")
    codes = [model.table.object_type_code for model in live.environment.tables.values() if model.is_custom]
    return Table(
        name=name,
        schema_name=schema_name,
        entity_set=entity_set,
        id_column=f"{name}id",
        name_column=name_column.name,
        label=label,
        label_plural=plural,
        ownership=ownership,
        object_type_code=max([FIRST_CUSTOM_CODE - 1, *codes]) + 1,
        is_activity=False,
        is_activity_party=False,
        has_notes=bool(body.get("HasNotes")),
        has_activities=bool(body.get("HasActivities")),
        has_connections=_is_set(body.get("IsConnectionsEnabled")),
        has_document_locations=bool(body.get("IsDocumentManagementEnabled")),
        is_customizable=True,
        change_tracking=bool(body.get("ChangeTrackingEnabled")),
        duplicate_detection=False,
        optimistic_concurrency=True,
        messages=_MESSAGES | (_USER_MESSAGES if ownership == "UserOwned" else frozenset()),
        columns=_system_columns(live, schema_name, label, ownership, name_column),
        states=_STATES,
        collection_schema_name=plural_of(schema_name),
        source="custom",
    )


def _is_set(managed: object) -> bool:
    """Whether a managed property is there and true."""
    return isinstance(managed, dict) and bool(managed.get("Value"))


def _system_columns(live: Live, schema_name: str, label: str, ownership: str, name_column: Column) -> dict[str, Column]:
    """What the platform adds to every new table; account's columns of the same name are the pattern."""
    account = live.environment.tables["account"].columns
    name = schema_name.lower()
    found = {column: account[column] for column in (*AUDIT, *OWNERSHIP[ownership])}
    if ownership == "OrganizationOwned":
        found["organizationid"] = live.environment.tables["businessunit"].columns["organizationid"]
    # A custom table takes its state on create (2024 export: ValidForCreateApi=1).
    found["statecode"] = replace(
        found["statecode"],
        creatable=True,
        option_set=f"{name}_statecode",
        options=tuple(Option(state.value, state.label) for state in _STATES),
    )
    found["statuscode"] = replace(
        found["statuscode"],
        option_set=f"{name}_statuscode",
        options=tuple(status for state in _STATES for status in state.statuses),
    )
    id_column = Column(
        name=f"{name}id", schema_name=f"{schema_name}Id", type="Uniqueidentifier", label=label,
        required="SystemRequired", creatable=True,
    )  # fmt: skip
    return {id_column.name: id_column, name_column.name: name_column, **found}


def _relate_system_columns(live: Live, table: Table) -> None:
    """Relationships behind the lookups every table has; their names follow the platform's pattern."""
    names = {
        "createdby": f"lk_{table.name}_createdby",
        "createdonbehalfby": f"lk_{table.name}_createdonbehalfby",
        "modifiedby": f"lk_{table.name}_modifiedby",
        "modifiedonbehalfby": f"lk_{table.name}_modifiedonbehalfby",
        "owninguser": f"user_{table.name}",
        "owningteam": f"team_{table.name}",
        "owningbusinessunit": f"business_unit_{table.name}",
        "organizationid": f"organization_{table.name}",
    }
    for column, relationship in names.items():
        if column in table.columns:
            target = table.columns[column].targets[0]
            live.environment.put_relationship(
                OneToMany(relationship, target, f"{target}id", table.name, column, column, relationship), {}
            )


def change_table(live: Live, model: EntityModel, body: Body, *, merges: bool) -> None:
    """PUT: labels, notes and activities switched on, change tracking. `merges` keeps languages that are not sent."""
    table = model.table
    extra = dict(live.extra("table", table.name))
    labels = changed_texts(live, extra, "labels", body.get("DisplayName"), merges=merges)
    plurals = changed_texts(live, extra, "plural_labels", body.get("DisplayCollectionName"), merges=merges)
    changed_texts(live, extra, "descriptions", body.get("Description"), merges=merges)
    has_notes = table.has_notes or bool(body.get("HasNotes"))
    has_activities = table.has_activities or bool(body.get("HasActivities"))
    has_connections = table.has_connections or _is_set(body.get("IsConnectionsEnabled"))
    changed = replace(
        table,
        label=base_text(labels, live.language, table.label),
        label_plural=base_text(plurals, live.language, table.label_plural),
        has_notes=has_notes,
        has_activities=has_activities,
        has_connections=has_connections,
        change_tracking=table.change_tracking or bool(body.get("ChangeTrackingEnabled")),
        has_document_locations=table.has_document_locations or bool(body.get("IsDocumentManagementEnabled")),
    )
    live.environment.define_table(changed, extra)
    if changed.has_document_locations and not table.has_document_locations:
        attach_documents(live, changed)
    if has_notes and not table.has_notes:
        attach_notes(live, changed)
    if has_activities and not table.has_activities:
        attach_activities(live, changed)
    if has_connections and not table.has_connections:
        attach_connections(live, changed)


def drop_table(live: Live, model: EntityModel) -> None:
    """Remove a custom table; Refusal while columns of other tables point to it. Its notes go with it."""
    name, environment = model.name, live.environment
    if not model.is_custom:
        raise Refusal(400, "0x8004F01F", f"The table {name} is part of the system and cannot be deleted.")
    users = [
        f"column {one.referencing}.{one.referencing_column}"
        for one in environment.one_to_many.values()
        if one.referenced == name
        and one.referencing != name
        and one.referencing_column in environment.tables[one.referencing].custom_columns
    ]
    if users:
        raise in_use(f"Entity {name}", users)
    _forget_rows(live, name)
    detach(live, name)
    environment.drop_table(name)


def _forget_rows(live: Live, name: str) -> None:
    """Notes and connections of the table's rows go, activities stay without what they are about."""
    connection = live.environment.connection
    made = {table for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    for table, model in live.environment.tables.items():
        if table not in made:
            continue
        for column in ("objectid", "regardingobjectid", "record1id", "record2id"):
            if column in model.stored and name in model.columns[column].targets:
                kind = quoted(type_column(column))
                rows = live.environment.ensure_rows(model, (column, type_column(column)))
                if table in {"annotation", "connection"}:
                    connection.execute(f"DELETE FROM {rows} WHERE {kind} = ?", (name,))
                else:
                    sql = f"UPDATE {rows} SET {quoted(column)} = NULL, {kind} = NULL WHERE {kind} = ?"
                    connection.execute(sql, (name,))
