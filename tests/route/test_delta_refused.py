"""What the service refused in one round is made up for in the next: nothing of it is lost, and nobody else is said to have done it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, take_round
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, example_export, record_of, serving

pytestmark = pytest.mark.slow
PART: dict[str, Any] = {"kind": "precondition412", "in_batch": True}
# Rows that are refused in bulk are sent one by one: there the one that is to stay away is refused again.
NOT_MADE = [
    {"kind": "precondition412", "path": "contacts", "request": "CreateMultiple"},
    {**PART, "method": "POST", "path": r"^contacts$", "times": 1},
]
# One more than the sample takes along.
SECOND = (
    "d10,Harbour Lights - summer menu,100,EUR,Closed Won,100,marta.ruiz@harbourlights.example,Harbour Lights GmbH,"
    "ana@northbeam.example,2024-01-23 10:00,2024-05-30,,\n"
)
NOT_WON = [{**PART, "path": "WinOpportunity"}]
NOT_CHANGED = [
    {"kind": "precondition412", "path": "contacts", "request": "UpdateMultiple"},
    {**PART, "method": "PATCH", "path": "contacts"},
]


def refusing(migration: Migration, rules: list[dict[str, Any]]) -> None:
    migration.admin("faults", {"seed": 1, "rules": rules})


def by_record(migration: Migration, rows: str) -> dict[str, dict[str, Any]]:
    return {record_of(row): row for row in migration.rows(f"{rows}?$filter=flit_sourceid ne null")}


def found(migration: Migration, code: str) -> list[str]:
    return [finding["record"] for finding in migration.do("findings", "--code", code)]


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[tuple[Migration, Source]]:
    export = example_export(tmp_path / "export")
    with (export / "deals.csv").open("a", encoding="utf-8") as file:
        file.write(SECOND)
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, export)
        settings = migration.folder / "flitstack.yaml"
        settings.write_text(
            settings.read_text(encoding="utf-8").replace("sample_rows: 5", "sample_rows: 1"), encoding="utf-8"
        )
        migration.go(TO_PLAN)
        migration.go(TO_LOAD)
        yield migration, Source.example(tmp_path / "later")


def test_what_the_first_load_was_refused_comes_with_the_next_round(planned: tuple[Migration, Source]) -> None:
    migration, source = planned
    refusing(migration, [*NOT_MADE, *NOT_WON])
    migration.do("load", code={0, 3})
    refusing(migration, [])
    made, deals = by_record(migration, "contacts"), by_record(migration, "opportunities")
    (missing,) = [record for record in ("p01", "p05", "p06", "p07", "p08") if record not in made]
    assert deals["d10"]["statecode"] == 0
    source.change("contacts", missing, Title="Corrected")
    take_round(migration, source.partial())
    assert found(migration, "deleted_in_dynamics") == []
    assert by_record(migration, "contacts")[missing]["jobtitle"] == "Corrected"
    assert by_record(migration, "opportunities")["d10"]["statecode"] == 1
    row = by_record(migration, "contacts")[missing]["contactid"]
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    migration.delete(f"contacts({row})")
    assert migration.run("reconcile").document["differences"] > 0, "it is looked at like any other"


def test_a_round_of_which_a_part_was_refused_is_neither_edited_by_anybody_nor_lost(
    planned: tuple[Migration, Source],
) -> None:
    migration, source = planned
    migration.do("load", code={0, 3})
    refusing(migration, [*NOT_WON, *NOT_CHANGED])
    source.change("deals", "d02", Deal_Name="Named once", Stage="Closed Won")
    source.change("contacts", "p07", Title="Told once")
    take_round(migration, source.partial())
    refusing(migration, [])
    deal, contact = by_record(migration, "opportunities")["d02"], by_record(migration, "contacts")["p07"]
    assert (deal["name"], deal["statecode"], contact["jobtitle"]) == ("Named once", 0, "Owner")
    migration.do("retry", code={0, 3})
    deal, contact = by_record(migration, "opportunities")["d02"], by_record(migration, "contacts")["p07"]
    assert (deal["name"], deal["statecode"], contact["jobtitle"]) == ("Named once", 1, "Told once")
    refusing(migration, NOT_WON)
    source.change("deals", "d02", Deal_Name="Named twice", Stage="Closed Lost")
    source.change("deals", "d03", Deal_Name="Won in vain", Stage="Closed Won")
    source.change("contacts", "p07", Title="Told twice")
    take_round(migration, source.partial())
    assert by_record(migration, "contacts")["p07"]["jobtitle"] == "Told twice"
    deals = by_record(migration, "opportunities")
    assert (deals["d02"]["name"], deals["d02"]["statecode"]) == ("Named twice", 2)
    assert (deals["d03"]["name"], deals["d03"]["statecode"]) == ("Won in vain", 0)
    refusing(migration, [])
    source.change("deals", "d03", Deal_Name="Won after all")
    take_round(migration, source.partial())
    deal = by_record(migration, "opportunities")["d03"]
    assert (deal["name"], deal["statecode"]) == ("Won after all", 1)
    assert found(migration, "edit_conflict") == found(migration, "edited_in_dynamics") == []
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert migration.do("rollback", "--dry-run")["kept_rows"] == []
    undone = migration.do("rollback", "--last")
    assert (undone["equal"], undone["kept_rows"], undone["edited_rows"]) == (True, [], [])
    assert by_record(migration, "opportunities")["d03"]["name"] == "Won in vain"
    undone = migration.do("rollback")
    assert (undone["equal"], undone["kept_rows"]) == (True, [])
