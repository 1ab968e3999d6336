"""What customizations.xml defines, read as a whole, and what the target must hold for it."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from flitstack.emulator.messages import not_implemented
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import global_choices
from flitstack.emulator.solutions.column_xml import LOOKUPS
from flitstack.emulator.solutions.faults import invalid, missing_component, not_a_root, unknown_choice
from flitstack.emulator.solutions.manifest import CHOICE, COLUMN, RELATIONSHIP, TABLE, Manifest
from flitstack.emulator.solutions.option_xml import read_option_set
from flitstack.emulator.solutions.relationship_xml import read_relationship
from flitstack.emulator.solutions.table_xml import read_table
from flitstack.emulator.solutions.texts import Json

_READ = frozenset({"Entities", "EntityRelationships", "optionsets", "Languages"})


@dataclass(frozen=True, slots=True)
class Contents:
    """Definitions as the metadata API takes them, by logical name; `relationships` in the order of the file."""

    tables: dict[str, Json]
    relationships: list[Json]
    choices: dict[str, Json]

    def lookup_of(self, relationship: Json) -> Json | None:
        """The column of a 1:N relationship, when the file defines it."""
        table = self.tables.get(relationship["ReferencingEntity"], {})
        wanted = relationship["ReferencingAttribute"].lower()
        found = (column for column in table.get("Attributes", []) if column["LogicalName"] == wanted)
        return next(found, None)


def read_contents(root: ET.Element) -> Contents:
    """Refusal 400 for what does not follow the schema, 501 for components that the emulator has none of."""
    if root.tag != "ImportExportXml":
        raise invalid("The element 'ImportExportXml' is expected.")
    for group in root:
        if group.tag not in _READ and len(group):
            raise not_implemented(f"importing solution components of the group {group.tag}")
    tables = [read_table(element) for element in root.findall("Entities/Entity")]
    choices = [read_option_set(element) for element in root.findall("optionsets/optionset")]
    found = Contents(
        {table["LogicalName"]: table for table in tables},
        [read_relationship(element) for element in root.findall("EntityRelationships/EntityRelationship")],
        {choice["Name"]: choice for choice in choices},
    )
    if len(found.tables) < len(tables) or len(found.choices) < len(choices):
        raise invalid("A table or a choice is defined twice.")
    return found


def check_roots(live: Live, manifest: Manifest, contents: Contents) -> None:
    """Refusal 400 unless file and list of root components agree."""
    declared = {(component.kind, component.name.lower()) for component in manifest.components}
    for table in contents.tables:
        if (TABLE, table) not in declared:
            raise not_a_root(table, TABLE)
    for choice in contents.choices:
        if (CHOICE, choice.lower()) not in declared:
            raise not_a_root(choice, CHOICE)
    choices = {name.lower() for name in (*contents.choices, *global_choices(live))}
    for kind, name in declared:
        known = contents.tables.keys() | live.environment.tables.keys() if kind == TABLE else choices
        if kind in {TABLE, CHOICE} and name not in known:
            raise missing_component(name, kind)


def missing(live: Live, manifest: Manifest, contents: Contents) -> list[str]:
    """The components that neither the target nor the solution has, each with what needs it."""
    tables = live.environment.tables
    known = tables.keys() | {name for name, table in contents.tables.items() if table["IsWhole"]}
    choices = global_choices(live).keys() | contents.choices.keys()
    found = [f"table {name} needed by {name}" for name in contents.tables if name not in known]
    for relationship in contents.relationships:
        ends = ("Entity1LogicalName", "Entity2LogicalName", "ReferencingEntity", "ReferencedEntity")
        names = (relationship[end] for end in ends if end in relationship)
        found += [f"table {name} needed by {relationship['SchemaName']}" for name in names if name not in known]
    for requirement in manifest.requirements:
        kind, name = requirement.kind, requirement.name
        parent = tables.get(requirement.parent.lower())
        is_there = {
            TABLE: name.lower() in known,
            COLUMN: parent is not None and name.lower() in parent.columns,
            CHOICE: name in choices,
            RELATIONSHIP: name in live.environment.one_to_many or name in live.environment.many_to_many,
        }
        if not is_there.get(kind, True):
            found.append(f"component {name} of type {kind} needed by {requirement.needed_by}")
    return list(dict.fromkeys(found))


def check_choices(live: Live, contents: Contents) -> None:
    """Refusal 400 for a column of a global choice that is nowhere; for a lookup that no relationship gives a target."""
    choices = global_choices(live).keys() | contents.choices.keys()
    targets = {
        (relationship["ReferencingEntity"], relationship["ReferencingAttribute"].lower())
        for relationship in contents.relationships
        if "ReferencingEntity" in relationship
    }
    for name, table in contents.tables.items():
        model = live.environment.tables.get(name)
        for column in table["Attributes"]:
            logical, shared = column["LogicalName"], column["OptionSetName"]
            if shared and shared not in choices:
                raise unknown_choice(f"{name}.{logical}", shared)
            is_known = (model is not None and logical in model.columns) or not column["IsCustomAttribute"]
            if column["Kind"] in LOOKUPS and not is_known and (name, logical) not in targets:
                raise invalid(f"The lookup {name}.{logical} has no relationship.")
