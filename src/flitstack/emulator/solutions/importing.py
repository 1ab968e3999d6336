"""From a solution zip to definitions of an environment.

Source: Microsoft Learn, "ImportSolution Action", "Import solutions". Everything is checked before anything changes; what
fails later is undone by the transaction around it.
"""

from dataclasses import dataclass, field, replace

from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.choices import create_global_choice
from flitstack.emulator.metadata.columns import create_column
from flitstack.emulator.metadata.keys import create_key, table_keys
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import global_choices
from flitstack.emulator.metadata.relationship_parse import (
    change_relationship,
    create_polymorphic,
    create_relationship,
)
from flitstack.emulator.metadata.tables import change_table, check_quota, create_table
from flitstack.emulator.solutions.column_xml import LOOKUPS
from flitstack.emulator.solutions.components import put_component
from flitstack.emulator.solutions.contents import (
    Contents,
    check_choices,
    check_roots,
    missing,
    read_contents,
)
from flitstack.emulator.solutions.faults import failed, invalid, missing_dependencies
from flitstack.emulator.solutions.manifest import (
    CHOICE,
    COLUMN,
    KEY,
    RELATIONSHIP,
    TABLE,
    Component,
    Manifest,
    read_manifest,
)
from flitstack.emulator.solutions.overwriting import bound, overwrite_choice, overwrite_column
from flitstack.emulator.solutions.package import read_package
from flitstack.emulator.solutions.rows import put_rows, rows_of
from flitstack.emulator.solutions.texts import Json

_RESTRICTED = frozenset({"default", "active", "system", "basic"})
CREATED = "solution_created"  # what a managed solution made: {"components": [[kind, name], ...]}


@dataclass(slots=True)
class Import:
    """A solution read and checked; `made` fills with the definitions that were not there before."""

    manifest: Manifest
    contents: Contents
    made: list[Component] = field(default_factory=list)


def read_solution(live: Live, data: bytes) -> Import:
    """What a zip holds. Refusal 400 when it cannot be imported into this environment."""
    package = read_package(data)
    manifest = read_manifest(package.manifest)
    contents = read_contents(package.customizations)
    _check_mode(live, manifest)
    check_roots(live, manifest, contents)
    lacking = missing(live, manifest, contents)
    if lacking:
        raise missing_dependencies(manifest.unique_name, lacking)
    check_choices(live, contents)
    new = [name for name in contents.tables if name not in live.environment.tables]
    check_quota(live, len(new), "0x8004B043")
    return Import(manifest, contents)


def _check_mode(live: Live, manifest: Manifest) -> None:
    name = manifest.unique_name.lower()
    if name in _RESTRICTED:
        raise Refusal(400, "0x80048046", "System solution cannot be imported.")
    known = next((row for row in rows_of(live, "solution") if str(row["uniquename"]).lower() == name), None)
    if known is None or bool(known["ismanaged"]) == manifest.is_managed:
        return
    here, there = ("unmanaged", "managed") if manifest.is_managed else ("managed", "unmanaged")
    raise Refusal(
        400,
        "0x80048040" if manifest.is_managed else "0x80048041",
        f"The solution is already installed on this system as an {here} solution and the package supplied is attempting "
        f"to install it in {there} mode. Import can only update solutions when the modes match.",
    )


def apply_import(live: Live, work: Import) -> None:
    """Make and change the definitions, then the rows of publisher, solution and components."""
    for name, choice in work.contents.choices.items():
        if name in global_choices(live):
            overwrite_choice(live, name, choice)
        else:
            create_global_choice(live, choice)
            work.made.append(Component(CHOICE, name))
        live.forget()
    for table in work.contents.tables.values():
        _apply_table(live, work, table)
    for name, table in work.contents.tables.items():
        for column in sorted(table["Attributes"], key=_order):
            _apply_column(live, work, name, column)
    _apply_relationships(live, work)
    for name, table in work.contents.tables.items():
        for key in table["Keys"]:
            _apply_key(live, work, live.environment.tables[name], key)
    _finish(live, work)


def _order(column: Json) -> tuple[bool, bool]:
    """Those first that bring further columns (currency, rate, base; names of files), which the file then relabels."""
    return column["Kind"] not in {"Money", "File", "Image"}, column["CalculationOf"] is not None


def _apply_table(live: Live, work: Import, table: Json) -> None:
    model = live.environment.tables.get(table["LogicalName"])
    if not table["IsWhole"]:
        return
    if model is not None:
        change_table(live, model, table, merges=True)
    else:
        primary = [column for column in table["Attributes"] if column["IsPrimaryName"]]
        if len(primary) != 1:
            raise invalid(f"{table['SchemaName']} has {len(primary)} attributes with PrimaryName in 'DisplayMask'.")
        create_table(live, {**table, "Attributes": primary})
        work.made.append(Component(TABLE, table["LogicalName"]))
    live.forget()


def _apply_column(live: Live, work: Import, table: str, column: Json) -> None:
    model = live.environment.tables[table]
    name = column["LogicalName"]
    known = model.columns.get(name)
    if known is not None:
        overwrite_column(live, model, known, column)
    elif column["Kind"] in LOOKUPS:
        return  # comes with its relationships
    elif column["CalculationOf"] or not column["IsCustomAttribute"]:
        raise failed(f"The system column {table}.{name} is not in the target system.")
    else:
        try:
            create_column(live, model, bound(column))
        except Refusal as refusal:
            raise Refusal(refusal.status, refusal.code, f"{table}.{name}: {refusal.message}") from refusal
        work.made.append(Component(COLUMN, f"{table}.{name}"))
    if column.get("IsPrimaryImage"):
        shown = live.environment.tables[table].table
        live.environment.define_table(replace(shown, image_column=name))
    live.forget()


def _apply_relationships(live: Live, work: Import) -> None:
    environment = live.environment
    new: dict[tuple[str, str], list[Json]] = {}
    for body in work.contents.relationships:
        name = body["SchemaName"]
        if name in environment.one_to_many or name in environment.many_to_many:
            _check_same(live, body)
            if name in live.documents("one_to_many"):
                change_relationship(live, name, body)
        elif "ReferencingEntity" in body:
            new.setdefault((body["ReferencingEntity"], body["ReferencingAttribute"].lower()), []).append(body)
        else:
            create_relationship(live, body)
            work.made.append(Component(RELATIONSHIP, name))
        live.forget()
    for (table, column), bodies in new.items():
        _apply_lookup(live, work, bodies, is_known=column in environment.tables[table].columns)


def _check_same(live: Live, body: Json) -> None:
    name = body["SchemaName"]
    one, many = live.environment.one_to_many.get(name), live.environment.many_to_many.get(name)
    here = (one.referencing, one.referenced) if one else (many.table1, many.table2) if many else ()
    ends = ("ReferencingEntity", "ReferencedEntity") if "ReferencingEntity" in body else ("Entity1LogicalName",)
    ends = ends if "ReferencingEntity" in body else ("Entity1LogicalName", "Entity2LogicalName")
    if here != tuple(body[end] for end in ends):
        raise failed(f"The relationship {name} exists already, between other tables.")


def _apply_lookup(live: Live, work: Import, bodies: list[Json], *, is_known: bool) -> None:
    lookup = work.contents.lookup_of(bodies[0])
    if lookup is None and not is_known:
        raise invalid(f"The column {bodies[0]['ReferencingAttribute']} of {bodies[0]['SchemaName']} is not defined.")
    if is_known:
        for body in bodies:
            create_relationship(live, {**body, "Lookup": {"SchemaName": body["ReferencingAttribute"]}})
    elif lookup is not None:
        if lookup["Kind"] == "Lookup" and len(bodies) == 1:
            create_relationship(live, {**bodies[0], "Lookup": lookup})
        elif lookup["Kind"] in {"Lookup", "Customer"}:
            create_polymorphic(live, bodies, lookup, lookup["Kind"])
        else:
            raise failed(f"The platform alone makes columns of owners: {lookup['SchemaName']}.")
        name = f"{bodies[0]['ReferencingEntity']}.{lookup['LogicalName']}"
        work.made.append(Component(COLUMN, name))
    work.made += [Component(RELATIONSHIP, body["SchemaName"]) for body in bodies]
    live.forget()


def _apply_key(live: Live, work: Import, model: EntityModel, key: Json) -> None:
    name = key["SchemaName"].lower()
    known = next((document for document in table_keys(live, model) if document["LogicalName"] == name), None)
    if known is None:
        create_key(live, model, key, live.occasion.now, live.occasion.key_delay)
        work.made.append(Component(KEY, f"{model.name}.{name}"))
    elif known["KeyAttributes"] != key["KeyAttributes"]:
        raise failed(f"The key {name} of {model.name} exists already, on other columns.")
    live.forget()


def _finish(live: Live, work: Import) -> None:
    manifest, contents = work.manifest, work.contents
    put_rows(live, manifest)
    choices = {name.lower(): name for name in global_choices(live)}
    for component in manifest.components:
        if component.kind == TABLE:
            name = component.name.lower()
            put_component(live, manifest.unique_name, Component(TABLE, name, component.behaviour))
            _record_parts(live, manifest, contents.tables.get(name), component.behaviour)
        elif component.kind == CHOICE:
            put_component(live, manifest.unique_name, Component(CHOICE, choices[component.name.lower()]))
    whole = {c.name.lower() for c in manifest.components if c.kind == TABLE and not c.behaviour}
    for body in contents.relationships:
        ends = {body.get("ReferencingEntity"), body.get("Entity1LogicalName"), body.get("Entity2LogicalName")}
        if not ends & whole:
            put_component(live, manifest.unique_name, Component(RELATIONSHIP, body["SchemaName"]))
    if manifest.is_managed:
        before = live.documents(CREATED).get(manifest.unique_name.lower(), {}).get("components")
        made = [[component.kind, component.name] for component in work.made]
        listed = [*(before if isinstance(before, list) else []), *made]
        live.environment.put_document(CREATED, manifest.unique_name.lower(), {"components": listed})
    live.forget()


def _record_parts(live: Live, manifest: Manifest, table: Json | None, behaviour: int) -> None:
    """Columns and keys of a table that the solution extends."""
    if table is None or not behaviour:
        return
    name = table["LogicalName"]
    for column in table["Attributes"]:
        put_component(live, manifest.unique_name, Component(COLUMN, f"{name}.{column['LogicalName']}"))
    for key in table["Keys"]:
        put_component(live, manifest.unique_name, Component(KEY, f"{name}.{key['SchemaName'].lower()}"))
