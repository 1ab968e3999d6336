"""The catalogue says what Microsoft's table reference says (tests/data/published_facts.yaml, read by hand)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flitstack.catalogue.read import load_table
from flitstack.catalogue.types import Column

FACTS: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parents[1] / "data" / "published_facts.yaml").read_text(encoding="utf-8")
)
PLAIN = {
    "type": "type",
    "length": "max_length",
    "min": "min_value",
    "max": "max_value",
    "precision": "precision",
    "precision_source": "precision_source",
    "required": "required",
    "format": "format",
    "date": "date_behaviour",
    "default": "default",
}


def ops(column: Column) -> str:
    return "".join(
        letter if has else "-"
        for letter, has in (("C", column.creatable), ("R", column.readable), ("U", column.updatable))
    )


def named(fact: dict[str, Any]) -> str:
    return ".".join(str(fact[part]) for part in ("table", "column", "state") if part in fact)


@pytest.mark.parametrize("fact", FACTS["columns"], ids=named)
def test_a_column_is_as_published(fact: dict[str, Any]) -> None:
    column = load_table(fact["table"]).columns[fact["column"]]
    assert {key: getattr(column, PLAIN[key]) for key in fact.keys() & PLAIN} == {
        key: fact[key] for key in fact.keys() & PLAIN
    }
    if "ops" in fact:
        assert ops(column) == fact["ops"]
    if "targets" in fact:
        assert set(column.targets) == set(fact["targets"])
    if "values" in fact:
        assert [option.value for option in column.options] == fact["values"]
    labels = {option.value: option.label for option in column.options}
    assert fact.get("options", {}).items() <= labels.items()
    assert fact.get("nav", {}).items() <= column.navigation.items()


@pytest.mark.parametrize("fact", FACTS["tables"], ids=named)
def test_a_table_is_as_published(fact: dict[str, Any]) -> None:
    table = load_table(fact["table"])
    found = (table.entity_set, table.schema_name, table.ownership, table.id_column, table.name_column)
    assert found == tuple(fact[key] for key in ("set", "schema", "ownership", "id", "name"))


@pytest.mark.parametrize("fact", FACTS["states"], ids=named)
def test_a_state_is_as_published(fact: dict[str, Any]) -> None:
    state = next(state for state in load_table(fact["table"]).states if state.value == fact["state"])
    found = (state.label, state.default_status, sorted(status.value for status in state.statuses))
    assert found == (fact["label"], fact["default"], fact["statuses"])


@pytest.mark.parametrize("fact", FACTS["messages"], ids=named)
def test_messages_are_as_published(fact: dict[str, Any]) -> None:
    found = load_table(fact["table"]).messages
    assert set(fact["has"]) <= found
    assert not found & set(fact.get("lacks", ()))


def test_every_fact_names_its_page() -> None:
    facts = [fact for group in FACTS.values() for fact in group]
    assert len(facts) >= 80
    assert all("table/entity reference" in fact["page"] for fact in facts)
