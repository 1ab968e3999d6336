"""From the definitions of an environment to a solution zip.

Source: Microsoft Learn, "ExportSolution Action", "Customization solutions file schema".
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.attributes import attribute_json
from flitstack.emulator.metadata.entities import entity_json
from flitstack.emulator.metadata.keys import table_keys
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import global_choice, global_choices
from flitstack.emulator.metadata.relations import many_to_many_json, one_to_many_json
from flitstack.emulator.metadata.system_columns import is_system_column
from flitstack.emulator.solutions.components import listed
from flitstack.emulator.solutions.manifest import (
    CHOICE,
    COLUMN,
    KEY,
    RELATIONSHIP,
    SHELL,
    TABLE,
    WITH_ALL,
    Component,
    Manifest,
    Requirement,
    write_manifest,
)
from flitstack.emulator.solutions.option_xml import add_option_set
from flitstack.emulator.solutions.package import Package, write_package
from flitstack.emulator.solutions.relationship_xml import add_relationship
from flitstack.emulator.solutions.rows import Solution, find_solution, publisher_of, texts
from flitstack.emulator.solutions.table_xml import add_table
from flitstack.emulator.solutions.texts import add

# Groups that exports hold empty; in the order of the schema.
_BEFORE = ("Roles", "Workflows", "FieldSecurityProfiles", "Templates", "EntityMaps")


@dataclass(slots=True)
class Selection:
    """What a solution holds. `tables` by name with their behaviour; the others by name."""

    tables: dict[str, int] = field(default_factory=dict)
    columns: dict[str, set[str]] = field(default_factory=dict)
    keys: dict[str, set[str]] = field(default_factory=dict)
    relationships: set[str] = field(default_factory=set)
    choices: list[str] = field(default_factory=list)


def export_solution(live: Live, name: object, *, is_managed: bool) -> bytes:
    """The zip of an unmanaged solution. Refusal 400 for an unknown or managed one."""
    solution = find_solution(live, name)
    if solution.is_managed:
        raise Refusal(
            400, "0x80048036", "An error occurred while exporting a solution. Managed solutions cannot be exported."
        )
    chosen = _select(live, solution)
    _add_relationships(live, chosen)
    manifest = _manifest(live, solution, chosen, is_managed=is_managed)
    return write_package(Package(write_manifest(manifest, live.language), _customizations(live, chosen)))


def _select(live: Live, solution: Solution) -> Selection:
    chosen = Selection()
    known = global_choices(live)
    tables = live.environment.tables
    for item in listed(live, solution.unique_name):
        kind, name = item.component.kind, item.component.name
        table, _, part = name.partition(".")
        if kind == TABLE and name in tables:
            chosen.tables[name] = item.component.behaviour
        elif kind == COLUMN and table in tables and part in tables[table].columns:
            chosen.columns.setdefault(table, set()).add(part)
        elif kind == KEY and table in tables:
            chosen.keys.setdefault(table, set()).add(part)
        elif kind == RELATIONSHIP:
            chosen.relationships.add(name)
        elif kind == CHOICE and name in known:
            chosen.choices.append(name)
    return chosen


def _add_relationships(live: Live, chosen: Selection) -> None:
    """Those of the environment's own that belong to tables that are exported whole."""
    whole = {name for name, behaviour in chosen.tables.items() if behaviour == WITH_ALL}
    for name in live.documents("one_to_many"):
        one = live.environment.one_to_many.get(name)
        if one is not None and one.referencing in whole:
            chosen.relationships.add(name)
    for name in live.documents("many_to_many"):
        many = live.environment.many_to_many.get(name)
        if many is not None and {many.table1, many.table2} & whole:
            chosen.relationships.add(name)


def _manifest(live: Live, solution: Solution, chosen: Selection, *, is_managed: bool) -> Manifest:
    name = f"solution/{solution.unique_name}"
    return Manifest(
        unique_name=solution.unique_name,
        version=solution.version,
        is_managed=is_managed,
        publisher=publisher_of(live, solution),
        labels=texts(live, name, "labels", solution.friendly_name),
        descriptions=texts(live, name, "descriptions", solution.description),
        components=(
            *(Component(TABLE, table, behaviour) for table, behaviour in sorted(chosen.tables.items())),
            *(Component(CHOICE, choice) for choice in sorted(chosen.choices)),
        ),
        requirements=tuple(_requirements(live, chosen)),
    )


def _requirements(live: Live, chosen: Selection) -> Iterator[Requirement]:
    """What the solution needs and does not hold: the environment's own tables and choices."""
    environment = live.environment
    for name in sorted(chosen.relationships):
        one, many = environment.one_to_many.get(name), environment.many_to_many.get(name)
        ends = [one.referenced] if one else [many.table1, many.table2] if many else []
        for table in ends:
            if environment.tables[table].is_custom and table not in chosen.tables:
                yield Requirement(TABLE, table, name)
    for table, behaviour in sorted(chosen.tables.items()):
        model = environment.tables[table]
        if behaviour == SHELL and model.is_custom:
            yield Requirement(TABLE, table, table)
        for column in model.columns.values():
            is_here = behaviour == WITH_ALL or column.name in chosen.columns.get(table, ())
            shared = column.option_set if column.is_global_choice else None
            if is_here and shared in live.documents("global_choice") and shared not in chosen.choices:
                yield Requirement(CHOICE, str(shared), f"{table}.{column.name}")


def _customizations(live: Live, chosen: Selection) -> ET.Element:
    tables = live.environment.tables
    root = ET.Element("ImportExportXml")
    entities = add(root, "Entities")
    # In the order they were made, so that an import gives them ascending object type codes again.
    for name in sorted(chosen.tables, key=lambda name: (tables[name].table.object_type_code, name)):
        _add_entity(live, entities, tables[name], chosen)
    for group in _BEFORE:
        add(root, group)
    _add_entity_relationships(live, add(root, "EntityRelationships"), chosen)
    add(root, "OrganizationSettings")
    choices, known = add(root, "optionsets"), global_choices(live)
    for name in sorted(chosen.choices):
        add_option_set(choices, global_choice(live, name, *known[name]))
    add(add(root, "Languages"), "Language", live.language)
    return root


def _add_entity(live: Live, entities: ET.Element, model: EntityModel, chosen: Selection) -> None:
    behaviour = chosen.tables[model.name]
    parts = chosen.columns.get(model.name, set())
    if behaviour == WITH_ALL:
        columns = [column for column in model.columns.values() if _is_exported(model, column.name)]
    elif behaviour == SHELL:
        columns = [column for column in model.columns.values() if column.name in parts]
    else:
        needed = parts | {model.table.id_column, model.table.name_column}
        columns = [column for column in model.columns.values() if column.name in needed]
    own = live.documents("key").keys() | live.documents("waiting_key").keys()
    keys = [
        key
        for key in table_keys(live, model)
        if key["LogicalName"] in chosen.keys.get(model.name, ())
        or (behaviour == WITH_ALL and f"{model.name}.{key['LogicalName']}" in own)
    ]
    documents = (attribute_json(live, model, column) for column in columns)
    # What accompanies a file or an image the platform makes again by itself.
    own_columns = [document for document in documents if not document["AttributeOf"]]
    add_table(entities, entity_json(live, model), own_columns, keys, whole=behaviour != SHELL)


def _is_exported(model: EntityModel, column: str) -> bool:
    """Standard tables: what the environment added to them, not the platform's own hundreds of columns."""
    return model.is_custom or not is_system_column(model, column)


def _add_entity_relationships(live: Live, parent: ET.Element, chosen: Selection) -> None:
    environment = live.environment
    names = {name: model.table.schema_name for name, model in environment.tables.items()}
    ones = [environment.one_to_many[name] for name in chosen.relationships if name in environment.one_to_many]

    def place(name: str) -> tuple[str, str, int, str]:
        one = environment.one_to_many[name]
        targets = environment.tables[one.referencing].columns[one.referencing_column].targets
        at = targets.index(one.referenced) if one.referenced in targets else len(targets)
        return one.referencing, one.referencing_column, at, name

    for name in sorted((one.name for one in ones), key=place):
        one = environment.one_to_many[name]
        lookup = environment.tables[one.referencing].columns[one.referencing_column].schema_name
        add_relationship(parent, one_to_many_json(live, one), names, lookup)
    for name in sorted(chosen.relationships & environment.many_to_many.keys()):
        add_relationship(parent, many_to_many_json(live, environment.many_to_many[name]), names)
