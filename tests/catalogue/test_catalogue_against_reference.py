"""Every column and every relationship, compared with the JSON the catalogue was compiled from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flitstack.catalogue.read import load_catalogue, load_table
from flitstack.catalogue.types import Column

REFERENCE = Path("../shared/reference/dataverse")
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference/dataverse"),
]
Facts = dict[str, Any]
HAND_WRITTEN = {"bulkdeleteoperation", "contracttemplate", "publisher", "solution"}
# Filed under an add-on app there, standard in every Sales environment (tools/catalogue_rules.py).
STANDARD_AFTER_ALL = {("invoice", "salesorderid"), ("pricelevel", "organizationid"), ("salesorder", "statuscode")}
TABLES = sorted(path.stem for path in (REFERENCE / "tables").glob("*.json"))


def read(name: str) -> Any:
    return json.loads((REFERENCE / name).read_text(encoding="utf-8"))


def columns_of(name: str) -> Facts:
    facts = read(f"tables/{name}.json")
    added = {column: fact for column, fact in facts["addon_columns"].items() if (name, column) in STANDARD_AFTER_ALL}
    columns: Facts = facts["columns"] | added
    return columns


def as_reference(column: Column) -> Facts:
    """The column in the reference's own words, without options, navigation and marks of provenance."""
    words = {
        "schema": column.schema_name,
        "type": column.type,
        "req": column.required,
        "label": column.label or None,
        "ops": "".join(
            x if has else "-"
            for x, has in zip("CRU", (column.creatable, column.readable, column.updatable), strict=True)
        ),
        "len": column.max_length,
        "min": column.min_value,
        "max": column.max_value,
        "prec": column.precision,
        "prec_src": column.precision_source,
        "fmt": column.format,
        "dt": column.date_behaviour,
        "default": column.default,
        "base_of": column.base_of,
        "auto": column.autonumber,
        "inherited": column.is_inherited or None,
        "logical": column.is_logical or None,
        "odata": None if column.is_web_api else False,
        "max_kb": column.max_kb,
        "targets": list(column.targets) or None,
        "global": column.is_global_choice or None,
    }
    return {key: value for key, value in words.items() if value is not None}


def reference_options(facts: Facts) -> set[tuple[int, str, int | None]]:
    is_status = facts["type"] == "Status"
    return {(o[0], o[1], o[2] if is_status else None) for o in facts.get("opts", ()) if o}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_as_in_the_reference(name: str) -> None:
    found, wanted = load_table(name).columns, columns_of(name)
    assert found.keys() == wanted.keys()
    for column, facts in wanted.items():
        words = as_reference(found[column])
        if "inherited" not in facts:
            words.pop("inherited", None)  # unknown there for most activities; derived by the compiler
        assert words == {key: facts[key] for key in words}, column
        kept = {"targets", "len", "min", "max", "prec", "prec_src", "fmt", "dt", "default", "auto", "base_of", "max_kb"}
        assert {key for key in kept if facts.get(key) is not None} <= words.keys(), column
        assert {(o.value, o.label, o.state) for o in found[column].options} == reference_options(facts), column
        assert found[column].navigation == (facts.get("nav") or found[column].navigation), column
        if "optset" in facts:
            assert found[column].option_set == facts["optset"], column


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_as_in_the_reference(name: str) -> None:
    facts, table = read("index.json")[name], load_table(name)
    assert (table.schema_name, table.entity_set, table.id_column) == (facts["schema"], facts["set"], facts["id"])
    assert (table.name_column, table.object_type_code) == (facts["name"], facts["otc"])
    assert table.ownership == (facts["ownership"] or "None")
    assert (table.is_activity, table.has_notes, table.has_activities, table.has_connections) == (
        facts["is_activity"],
        facts["has_notes"],
        facts["has_activities"],
        facts["has_connections"],
    )
    assert table.messages >= set(facts["messages"])
    assert {key.name: list(key.columns) for key in table.keys} == {key["name"]: key["columns"] for key in facts["keys"]}
    if facts["change_tracking"] is None:
        assert "change_tracking" in table.assumed
    else:
        assert table.change_tracking == facts["change_tracking"]


def standard_lookups() -> Iterator[Facts]:
    columns = {name: columns_of(name) for name in TABLES}
    for fact in read("relationships.json")["one_to_many"]:
        if fact["referencing_attr"] in columns[fact["referencing"]]:
            yield fact


def test_every_lookup_is_as_in_the_reference() -> None:
    wanted = {
        fact["name"]: (
            fact["referenced"],
            fact["referenced_attr"],
            fact["referencing"],
            fact["referencing_attr"],
            fact["nav"],
            fact["nav_collection"],
            {action: kind for action, kind in fact["cascade"].items() if kind != "NoCascade"},
        )
        for fact in standard_lookups()
    }
    found = {
        r.name: (
            r.referenced,
            r.referenced_column,
            r.referencing,
            r.referencing_column,
            r.navigation,
            r.collection,
            {action: kind for action, kind in r.cascade.items() if kind != "NoCascade"},
        )
        for r in load_catalogue().one_to_many
        if r.referencing not in HAND_WRITTEN
    }
    assert found == wanted


def test_every_many_to_many_relationship_is_as_in_the_reference() -> None:
    keys = ("name", "entity1", "attr1", "nav1", "entity2", "attr2", "nav2", "intersect")
    wanted = {tuple(fact[key] for key in keys) for fact in read("relationships.json")["many_to_many"]}
    found = {
        (
            link.name,
            link.table1,
            link.column1,
            link.navigation1,
            link.table2,
            link.column2,
            link.navigation2,
            link.intersect,
        )
        for link in load_catalogue().many_to_many
    }
    assert found == wanted


def test_every_state_is_as_in_the_reference() -> None:
    for name, states in read("states.json").items():
        found = {state.value: state for state in load_table(name).states}
        assert found.keys() == set(map(int, states))
        for value, facts in states.items():
            state = found[int(value)]
            assert (state.label, state.default_status) == (facts["label"], facts["default_status"])
            if facts["statuses"]:
                assert {str(s.value): s.label for s in state.statuses} == facts["statuses"]
