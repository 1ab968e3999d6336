"""Live metadata as catalogue types: what an environment says about one of its tables.

Everything that metadata states wins over the catalogue; the catalogue fills what a service leaves out.
Source: Microsoft Learn, "Query table definitions using the Web API".
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flitstack.catalogue.types import Catalogue, Column, Key, Option, State, Table
from flitstack.destinations.dataverse.client import Client, query_url
from flitstack.destinations.faults import Refused

Definition = Mapping[str, Any]

# Metadata caches lag by about 30 s; this header asks past them.
STRONG = {"Consistency": "Strong"}
_CHOICES = ("Picklist", "MultiSelectPicklist", "Boolean", "State", "Status")
_VIRTUAL = {"MultiSelectPicklistType": "MultiSelectPicklist", "ImageType": "Image", "FileType": "File"}
_BULK = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")


class StandardSets(Mapping[str, str]):
    """Logical name -> entity set name of the catalogue's tables, before the environment is asked."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._tables = catalogue.tables

    def __getitem__(self, name: str) -> str:
        return self._tables[name].entity_set

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


async def read_entity_sets(client: Client) -> dict[str, str]:
    """Logical name -> entity set name of every table."""
    found = await client.get(query_url("EntityDefinitions", select="LogicalName,EntitySetName"), STRONG)
    return {t["LogicalName"]: t["EntitySetName"] for t in found.json()["value"] if t.get("EntitySetName")}


async def read_table(client: Client, catalogue: Catalogue, name: str) -> Table | None:
    """Live metadata of one table, or None."""
    base = f"EntityDefinitions(LogicalName='{name}')"
    definition = await client.find(base, STRONG)
    if definition is None:
        return None
    attributes, keys, lookups, messages, *choices = await asyncio.gather(
        _values(client, f"{base}/Attributes"),
        _values(client, f"{base}/Keys"),
        _values(client, f"{base}/ManyToOneRelationships"),
        _bulk_messages(client, name),
        *(_values(client, _choice_url(base, kind)) for kind in _CHOICES),
    )
    known = catalogue.tables.get(name)
    navigation = _navigation(lookups)
    choice = {item["LogicalName"]: item for group in choices for item in group}
    columns = {}
    for attribute in attributes:
        column = attribute["LogicalName"]
        fallback = known.column(column) if known else None
        columns[column] = read_column(attribute, choice.get(column, {}), navigation.get(column, {}), fallback)
    return _table(definition, columns, _states(choice, known), tuple(_keys(keys)), messages, known)


def read_column(
    attribute: Definition, choice: Definition, navigation: Mapping[str, str], known: Column | None
) -> Column:
    """One AttributeMetadata object with its option set and the navigation properties of its relationships."""
    kind = _type(attribute)
    option_set = choice.get("OptionSet") or choice.get("GlobalOptionSet") or {}
    options = tuple(_options(option_set)) or (known.options if known else ())
    targets = tuple(attribute.get("Targets") or ()) or (known.targets if known else ())
    named = dict(known.navigation) if known else {}
    named |= {t: n for t, n in navigation.items() if t in targets}
    if "owner" in navigation and kind == "Owner":
        named |= {target: navigation["owner"] for target in targets if target not in named}
    behaviour = _inner(attribute, "DateTimeBehavior") or (known.date_behaviour if known else None)
    return Column(
        name=attribute["LogicalName"],
        schema_name=attribute.get("SchemaName") or (known.schema_name if known else attribute["LogicalName"]),
        type=kind,
        label=_label(attribute.get("DisplayName")) or (known.label if known else ""),
        required=_inner(attribute, "RequiredLevel") or (known.required if known else "None"),
        creatable=_told(attribute, "IsValidForCreate", known, "creatable", False),
        readable=_told(attribute, "IsValidForRead", known, "readable", True),
        updatable=_told(attribute, "IsValidForUpdate", known, "updatable", False),
        max_length=_told(attribute, "MaxLength", known, "max_length", None),
        min_value=_told(attribute, "MinValue", known, "min_value", None) if kind != "DateTime" else None,
        max_value=_told(attribute, "MaxValue", known, "max_value", None) if kind != "DateTime" else None,
        precision=_told(attribute, "Precision", known, "precision", None),
        precision_source=_told(attribute, "PrecisionSource", known, "precision_source", None),
        format=_inner(attribute, "FormatName") or attribute.get("Format") or (known.format if known else None),
        date_behaviour=behaviour,
        default=_default(attribute, choice, known),
        options=options,
        option_set=option_set.get("Name") or (known.option_set if known else None),
        is_global_choice=bool(option_set.get("IsGlobal", known.is_global_choice if known else False)),
        targets=targets,
        navigation=named,
        base_of=attribute.get("CalculationOf") or (known.base_of if known else None),
        is_calculated=bool(attribute.get("SourceType")) or (known.is_calculated if known else False),
        autonumber=attribute.get("AutoNumberFormat") or (known.autonumber if known else None),
        is_inherited=known.is_inherited if known else False,
        is_web_api=known.is_web_api if known else not attribute.get("AttributeOf"),
        is_logical=_told(attribute, "IsLogical", known, "is_logical", False),
        max_kb=_told(attribute, "MaxSizeInKB", known, "max_kb", None),
        is_secured=bool(attribute.get("IsSecured")),
    )


def _table(
    definition: Definition,
    columns: dict[str, Column],
    states: tuple[State, ...],
    keys: tuple[Key, ...],
    bulk: frozenset[str] | None,
    known: Table | None,
) -> Table:
    name = definition["LogicalName"]
    messages = known.messages if known else frozenset({"Create", "Update", "Delete", *_BULK})
    return Table(
        name=name,
        schema_name=definition.get("SchemaName") or name,
        entity_set=definition["EntitySetName"],
        id_column=definition["PrimaryIdAttribute"],
        name_column=definition.get("PrimaryNameAttribute"),
        label=_label(definition.get("DisplayName")) or (known.label if known else name),
        label_plural=_label(definition.get("DisplayCollectionName")) or (known.label_plural if known else name),
        ownership=definition.get("OwnershipType") or (known.ownership if known else "UserOwned"),
        object_type_code=_told(definition, "ObjectTypeCode", known, "object_type_code", 0),
        is_activity=_told(definition, "IsActivity", known, "is_activity", False),
        is_activity_party=_told(definition, "IsActivityParty", known, "is_activity_party", False),
        has_notes=_told(definition, "HasNotes", known, "has_notes", False),
        has_activities=_told(definition, "HasActivities", known, "has_activities", False),
        has_connections=_managed(definition, "IsConnectionsEnabled", known, "has_connections", default=False),
        is_customizable=_managed(definition, "CanCreateAttributes", known, "is_customizable", default=True),
        change_tracking=_told(definition, "ChangeTrackingEnabled", known, "change_tracking", False),
        duplicate_detection=_managed(
            definition, "IsDuplicateDetectionEnabled", known, "duplicate_detection", default=False
        ),
        optimistic_concurrency=_told(
            definition, "IsOptimisticConcurrencyEnabled", known, "optimistic_concurrency", False
        ),
        messages=messages if bulk is None else messages - set(_BULK) | bulk,
        columns=columns,
        states=states,
        keys=keys,
        is_process=_told(definition, "IsBPFEntity", known, "is_process", False),
        privileges={one["PrivilegeType"]: one["Name"] for one in definition.get("Privileges") or ()},
    )


async def _values(client: Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(path, STRONG)).json()["value"]
    return found


def _choice_url(base: str, kind: str) -> str:
    expand = "OptionSet" if kind == "Boolean" else "OptionSet,GlobalOptionSet"
    return query_url(f"{base}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata", expand=expand)


async def _bulk_messages(client: Client, table: str) -> frozenset[str] | None:
    """Which bulk messages the table takes, None when the environment cannot say.

    Source of the question: Microsoft Learn, "Use bulk operation messages".
    """
    filters = " or ".join(f"sdkmessageid/name eq '{message}'" for message in _BULK)
    path = query_url(
        "sdkmessagefilters",
        select="sdkmessagefilterid",
        expand="sdkmessageid($select=name)",
        filter=f"({filters}) and primaryobjecttypecode eq '{table}'",
    )
    try:
        found = (await client.get(path)).json()["value"]
    except Refused:
        return None
    return frozenset(item["sdkmessageid"]["name"] for item in found if item.get("sdkmessageid"))


def _navigation(lookups: Iterable[Definition]) -> dict[str, dict[str, str]]:
    """Column -> referenced table -> navigation property."""
    found: dict[str, dict[str, str]] = {}
    for lookup in lookups:
        navigation = lookup.get("ReferencingEntityNavigationPropertyName")
        if navigation:
            found.setdefault(lookup["ReferencingAttribute"], {})[lookup["ReferencedEntity"]] = navigation
    return found


def _states(choice: Mapping[str, Definition], known: Table | None) -> tuple[State, ...]:
    statuses = list(_options((choice.get("statuscode") or {}).get("OptionSet") or {}))
    states = ((choice.get("statecode") or {}).get("OptionSet") or {}).get("Options") or ()
    if not states:
        return known.states if known else ()
    found = [
        State(
            value=state["Value"],
            label=_label(state.get("Label")),
            default_status=state.get("DefaultStatus", -1),
            statuses=tuple(status for status in statuses if status.state == state["Value"]),
        )
        for state in states
    ]
    # Metadata does not say which state is the default one; the catalogue does, and elsewhere it is the first.
    first = known.states[0].value if known and known.states else found[0].value
    return tuple(sorted(found, key=lambda state: state.value != first))


def _keys(keys: Iterable[Definition]) -> Iterable[Key]:
    """Only keys that resolve: those whose index is active."""
    for key in keys:
        if key.get("EntityKeyIndexStatus", "Active") == "Active":
            yield Key(key.get("LogicalName") or key["SchemaName"].lower(), tuple(key["KeyAttributes"]))


def _options(option_set: Definition) -> Iterable[Option]:
    if "TrueOption" in option_set:
        pair = (option_set.get("FalseOption"), option_set.get("TrueOption"))
        yield from (Option(o["Value"], _label(o.get("Label"))) for o in pair if o)
    for option in option_set.get("Options") or ():
        yield Option(option["Value"], _label(option.get("Label")), option.get("State"))


def _type(attribute: Definition) -> str:
    name = _inner(attribute, "AttributeTypeName") or ""
    kind = str(attribute.get("AttributeType") or name.removesuffix("Type"))
    return _VIRTUAL.get(name, kind) if kind == "Virtual" else kind


def _default(attribute: Definition, choice: Definition, known: Column | None) -> int | bool | None:
    for source in (choice, attribute):
        for member in ("DefaultValue", "DefaultFormValue"):
            value = source.get(member)
            if isinstance(value, int) and value != -1:
                return value
    return known.default if known else None


def _told(definition: Definition, member: str, known: Column | Table | None, fact: str, default: Any) -> Any:
    """What the environment says; else what the catalogue knows; else the default."""
    value = definition.get(member)
    if value is not None:
        return value
    return default if known is None else getattr(known, fact)


def _managed(definition: Definition, member: str, known: Table | None, fact: str, *, default: bool) -> bool:
    value = definition.get(member)
    if isinstance(value, Mapping):
        return bool(value.get("Value"))
    return default if known is None else bool(getattr(known, fact))


def _inner(definition: Definition, member: str) -> str | None:
    """`{"Value": ...}` of a managed property or type name."""
    value = definition.get(member)
    return value.get("Value") if isinstance(value, Mapping) else None


def _label(label: Any) -> str:
    localized = (label or {}).get("UserLocalizedLabel") or {}
    return str(localized.get("Label") or "")
