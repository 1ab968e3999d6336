"""Notes, activities, connections and documents of tables: the lookups of standard tables that learn a new target."""

from dataclasses import replace

from flitstack.catalogue.types import OneToMany, Table
from flitstack.emulator.metadata.live import Live

_CASCADE = dict.fromkeys(("assign", "delete", "reparent", "share", "unshare"), "Cascade")
_LOOKUPS = ("objectid", "regardingobjectid", "record1id", "record2id")


def attach_notes(live: Live, table: Table) -> None:
    """`objectid` of notes takes rows of the table."""
    _attach(live, table, "annotation", "objectid", f"objectid_{table.name}", f"{table.name}_Annotations", _CASCADE)


def attach_activities(live: Live, table: Table) -> None:
    """`regardingobjectid` of activities takes rows of the table."""
    for name, model in list(live.environment.tables.items()):
        if name == "activitypointer":
            navigation, relationship, cascade = "", f"{table.name}_ActivityPointers", {"delete": "RemoveLink"}
        elif model.table.is_activity and "account" in _targets(live, name):
            collection = model.table.collection_schema_name or model.table.schema_name
            navigation, relationship, cascade = f"_{name}", f"{table.name}_{collection}", _CASCADE
        else:
            continue
        _attach(
            live, table, name, "regardingobjectid", f"regardingobjectid_{table.name}{navigation}", relationship, cascade
        )


def attach_connections(live: Live, table: Table) -> None:
    """Both ends of connections take rows of the table."""
    for number in (1, 2):
        lookup = f"record{number}id"
        relationship = f"{table.name}_connections{number}"
        _attach(live, table, "connection", lookup, f"{lookup}_{table.name}", relationship, {"delete": "Cascade"})


def attach_documents(live: Live, table: Table) -> None:
    """`regardingobjectid` of SharePoint document locations takes rows of the table: document management is switched on.

    Source: Microsoft Learn, "EntityMetadata EntityType" (IsDocumentManagementEnabled), "Actions on SharePoint location records".
    """
    child, lookup = "sharepointdocumentlocation", "regardingobjectid"
    relationship = f"{table.name}_SharePointDocumentLocations"
    if table.name not in live.environment.tables[child].columns[lookup].targets:
        _attach(
            live,
            table,
            child,
            lookup,
            f"{lookup}_{table.name}",
            relationship,
            {"delete": "Cascade", "merge": "Cascade"},
        )


def detach(live: Live, name: str) -> None:
    """The lookups forget the table."""
    for table, model in list(live.environment.tables.items()):
        for lookup in _LOOKUPS:
            column = model.columns.get(lookup)
            if column is not None and name in column.targets and not model.is_custom:
                navigation = {target: nav for target, nav in column.navigation.items() if target != name}
                targets = tuple(target for target in column.targets if target != name)
                live.environment.put_column(table, replace(column, targets=targets, navigation=navigation))


def _targets(live: Live, table: str) -> tuple[str, ...]:
    column = live.environment.tables[table].columns.get("regardingobjectid")
    return column.targets if column else ()


def _attach(
    live: Live, table: Table, child: str, lookup: str, navigation: str, relationship: str, cascade: dict[str, str]
) -> None:
    column = live.environment.tables[child].columns[lookup]
    targets = (*column.targets, table.name)
    live.environment.put_column(
        child, replace(column, targets=targets, navigation={**column.navigation, table.name: navigation})
    )
    live.environment.put_relationship(
        OneToMany(relationship, table.name, table.id_column, child, lookup, navigation, relationship, cascade), {}
    )
