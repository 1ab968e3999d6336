"""From one catalogue file, as YAML gives it, to frozen facts. Pure.

The files leave out what equals the default or follows from the rest of the file; docs/catalogue.md lists the keys.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from flitstack.catalogue.types import Column, Key, ManyToMany, OneToMany, Option, State, Table

Line = Mapping[str, Any]
CASCADE_ACTIONS = ("assign", "delete", "merge", "reparent", "share", "unshare")
_OWNER_ACTIONS = ("assign", "reparent", "share", "unshare")
_CHOICE_TYPES = frozenset({"Picklist", "MultiSelectPicklist", "Boolean", "State", "Status"})


def parse_table(name: str, content: Line) -> Table:
    """The table of a file; its lookups name the navigation properties of its columns."""
    facts: Line = content["table"]
    traits = frozenset(content.get("traits", ()))
    states = tuple(_state(value, line) for value, line in content.get("states", {}).items())
    navigation = _navigation(content.get("lookups", {}).values())
    return Table(
        name=name,
        schema_name=facts["schema"],
        entity_set=facts["set"],
        id_column=facts["id"],
        name_column=facts.get("name"),
        label=facts.get("label", facts["schema"]),
        label_plural=facts.get("plural", ""),
        ownership=facts["ownership"],
        object_type_code=facts["code"],
        is_activity="activity" in traits,
        is_activity_party="activity_party" in traits,
        has_notes="notes" in traits,
        has_activities="activities" in traits,
        has_connections="connections" in traits,
        is_customizable="customizable" in traits,
        change_tracking="change_tracking" in traits,
        duplicate_detection="duplicate_detection" in traits,
        optimistic_concurrency="optimistic_concurrency" in traits,
        messages=frozenset(content.get("messages", ())),
        columns={
            column: _column(name, column, line, states, navigation[column])
            for column, line in content["columns"].items()
        },
        states=states,
        keys=tuple(Key(key, tuple(columns)) for key, columns in content.get("keys", {}).items()),
        collection_schema_name=facts.get("collection", ""),
        image_column=facts.get("image"),
        can_queue="queue" in traits,
        has_document_locations="document_locations" in traits,
        is_child="child" in traits,
        is_process="process" in traits,
        is_where_present="where_present" in traits,
        assumed=frozenset(content.get("assumed", ())),
        source=facts["source"],
    )


def parse_lookups(name: str, content: Line) -> tuple[OneToMany, ...]:
    """The relationships in which this file's table is the referencing side."""
    return tuple(
        OneToMany(
            name=relationship,
            referenced=line["to"],
            referenced_column=line.get("key", f"{line['to']}id"),
            referencing=name,
            referencing_column=line["column"],
            navigation=line.get("nav", line["column"]),
            collection=line.get("collection", relationship),
            cascade=_cascade(line.get("cascade", {})),
            is_hierarchical=line.get("hierarchical", False),
            doubts=tuple(line.get("doubt", ())),
        )
        for relationship, line in content.get("lookups", {}).items()
    )


def parse_links(content: Line) -> tuple[ManyToMany, ...]:
    """The many-to-many relationships kept in this file: those whose first catalogued table it describes."""
    return tuple(
        ManyToMany(
            name=relationship,
            table1=line["tables"][0],
            column1=line["columns"][0],
            navigation1=line["navs"][0],
            table2=line["tables"][1],
            column2=line["columns"][1],
            navigation2=line["navs"][1],
            intersect=line["intersect"],
        )
        for relationship, line in content.get("many_to_many", {}).items()
    )


def _state(value: int, line: Line) -> State:
    statuses = tuple(Option(status, label, value) for status, label in line["statuses"].items())
    return State(value, line["label"], line["default"], statuses)


def _navigation(lookups: Iterable[Line]) -> defaultdict[str, dict[str, str]]:
    """Column -> target table -> navigation property, from the lookups whose property is known."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for line in lookups:
        navigation = line.get("nav", line["column"])
        if navigation is not None:
            found[line["column"]][line["to"]] = navigation
    return found


def _cascade(acting: Line) -> dict[str, str]:
    """Every action with its kind; `owner` in a file stands for the four actions that follow ownership."""
    found: dict[str, str] = dict.fromkeys(CASCADE_ACTIONS, "NoCascade")
    for action, kind in acting.items():
        for single in _OWNER_ACTIONS if action == "owner" else (action,):
            found[single] = kind
    return found


def _column(table: str, name: str, line: Line, states: tuple[State, ...], navigation: dict[str, str]) -> Column:
    kind, ops = line["type"], line["ops"]
    targets = tuple(line.get("to", ()))
    is_choice = kind in _CHOICE_TYPES
    return Column(
        name=name,
        schema_name=line["schema"],
        type=kind,
        label=line.get("label", ""),
        required=line.get("req", "None"),
        creatable="C" in ops,
        readable="R" in ops,
        updatable="U" in ops,
        max_length=line.get("len"),
        min_value=line.get("min"),
        max_value=line.get("max"),
        precision=line.get("prec"),
        precision_source=line.get("prec_source"),
        format=line.get("fmt"),
        date_behaviour=line.get("date"),
        default=line.get("default"),
        options=_options(kind, line, states),
        option_set=line.get("set", f"{table}_{name}" if is_choice else None),
        is_global_choice=line.get("global", False),
        targets=targets,
        navigation=_spelled_out(line["nav"], targets) if "nav" in line else navigation,
        base_of=line.get("base_of"),
        is_calculated="calc" in line,
        autonumber=line.get("auto"),
        is_inherited=line.get("inherited", False),
        is_web_api=line.get("web_api", True),
        is_logical=line.get("logical", False),
        max_kb=line.get("max_kb"),
        doubts=tuple(line.get("doubt", ())),
    )


def _options(kind: str, line: Line, states: tuple[State, ...]) -> tuple[Option, ...]:
    """Options of a choice; those of State and Status columns are the table's states and their status reasons."""
    if kind == "State":
        return tuple(Option(state.value, state.label) for state in states)
    if kind == "Status":
        return tuple(status for state in states for status in state.statuses)
    return tuple(Option(value, label) for value, label in line.get("opts", {}).items())


def _spelled_out(nav: str | Line, targets: tuple[str, ...]) -> dict[str, str]:
    """A column's own `nav`: one property for all targets, a pattern in which `*` is the target, or a mapping."""
    if isinstance(nav, str):
        return {target: nav.replace("*", target) for target in targets}
    return dict(nav)
