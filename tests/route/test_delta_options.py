"""Columns that we made, when a later export or an edited map asks more of them: their options keep their numbers, get new ones
before rows use them, and a text column becomes longer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, take_round
from route.route_case import EXAMPLE, LABEL, TO_LOAD, TO_PLAN, Migration, begin, record_of, serving

from flitstack.documents import read_yaml, write_yaml

pytestmark = pytest.mark.slow
NEW_STAGE, LONG = 727000050, "Call again " * 60


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("options")
    scoping = folder / "scoping.json"
    scoping.write_text(json.dumps(json.loads((EXAMPLE / "scoping.json").read_text()) | {"tag_strategy": "multiselect"}))
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE, scoping=scoping)
        migration.go(TO_PLAN)
        migration.go(TO_LOAD)
        migration.do("load", code={0, 3})
        migration.keep("loaded")
        yield migration


@pytest.fixture
def loaded(migrated: Migration, tmp_path: Path) -> tuple[Migration, Source]:
    migrated.back_to("loaded")
    return migrated, Source.example(tmp_path / "later")


def tags(migration: Migration) -> dict[str, list[str]]:
    """The tags of each contact as Dynamics shows them, by record."""
    rows = migration.rows("contacts?$select=flit_sourceid,flit_tags&$filter=flit_tags ne null")
    return {record_of(row): sorted(row[f"flit_tags{LABEL}"].split("; ")) for row in rows}


def schema(plan: dict[str, Any]) -> list[tuple[str, ...]]:
    """Its schema operations, but for the publishing at their end."""
    listed = [operation for operation in plan["schema"] if operation["kind"] != "publish"]
    return [(one["kind"], f"{one['table']}.{one['name']}", str(one.get("label", ""))) for one in listed]


def test_a_word_that_sorts_first_gets_a_new_number_and_no_row_another_label(loaded: tuple[Migration, Source]) -> None:
    migration, source = loaded
    before = tags(migration)
    source.change("contacts", "p07", Tags="Aardvark; VIP")
    plan = take_round(migration, source.partial())
    assert schema(plan) == [(kind, f"{table}.flit_tags", "Aardvark") for kind, table in [
        ("add_option", "contact"), ("add_option", "opportunity"),
    ]]  # fmt: skip
    assert (plan["tables"]["contact"]["updated"], plan["tables"]["opportunity"]["updated"]) == (1, 0)
    after = before | {"p07": ["Aardvark", "VIP"]}
    assert tags(migration) == after
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert migration.do("rollback", "--last")["equal"]
    assert tags(migration) == before
    again = migration.do("plan", "--delta", code={0, 3})
    assert schema(again) == [], "the option is still there"
    migration.do("approve", "load")
    migration.do("load", code={0, 3})
    assert tags(migration) == after
    told = migration.do("rollback", "--force", "--schema")
    assert (told["failed"], told["equal"], told["schema"]) == (0, True, "removed")
    (known,) = (migration.folder / ".flitstack").glob("*/schema.json")
    assert [one["kind"] for one in json.loads(known.read_text())] == ["publish"], "the next load numbers its words anew"


def test_what_the_map_asks_more_of_a_column_is_there_before_the_rows(loaded: tuple[Migration, Source]) -> None:
    migration, source = loaded
    path = migration.folder / "mapping" / "Deal.yaml"
    data, _ = read_yaml(path)
    columns = next(route["columns"] for route in data["routes"] if route["table"] == "opportunity")
    columns["flit_dealstage"]["create"]["options"].append([NEW_STAGE, "Trial"])
    columns["flit_dealstage"]["choices"]["Trial"] = NEW_STAGE
    columns["flit_nextstep"]["create"]["length"] = 2000
    write_yaml(path, data)
    migration.do("approve", "map")
    source.change("deals", "d02", Stage="Trial", Next_Step=LONG.strip())
    plan = take_round(migration, source.partial())
    assert schema(plan) == [
        ("add_option", "opportunity.flit_dealstage", "Trial"),
        ("widen_column", "opportunity.flit_nextstep", ""),
    ]
    told = migration.run("solution", "--to", str(migration.folder / "schema.zip"))
    assert [one["kind"] for one in told.document["left"]] == ["add_option", "widen_column"], "no file can carry them"
    (row,) = (row for row in migration.rows("opportunities") if row["flit_sourceid"] and record_of(row) == "d02")
    assert (row[f"flit_dealstage{LABEL}"], row["flit_nextstep"]) == ("Trial", LONG.strip())
    assert migration.do("reconcile", code={0, 3})["differences"] == 0


def test_another_type_and_another_word_for_a_number_are_refused(loaded: tuple[Migration, Source]) -> None:
    migration, source = loaded
    path = migration.folder / "mapping" / "Deal.yaml"
    data, _ = read_yaml(path)
    columns = next(route["columns"] for route in data["routes"] if route["table"] == "opportunity")
    columns["flit_dealstage"]["create"]["options"][0][1] = "Renamed"
    columns["flit_healthscore"]["create"] = {"type": "Integer", "label": "Health score"}
    write_yaml(path, data)
    migration.do("approve", "map")
    source.change("deals", "d02", Stage="Proposal")
    migration.do("stage", "--export", str(source.partial()), code={0, 3})
    refused = migration.run("plan", "--delta")
    assert refused.code == 2
    assert refused.errors.keys() == {"option-number-clash", "column-type-clash"}
