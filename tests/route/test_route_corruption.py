"""What happens in the destination after the load: a corrupted cell, an edit, a new reference, and what rollback does with each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from route.route_case import EXAMPLE, Migration, begin, record_of, serving


@dataclass(frozen=True)
class Loaded:
    """The example, loaded and reconciled, and the destination as it was before."""

    migration: Migration
    before: dict[str, Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("corruption")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        before = migration.admin("fingerprint")
        migration.do("run", "--rehearse", code=3)
        migration.keep("loaded")
        yield Loaded(migration, before)


@pytest.fixture
def loaded(kept: Loaded) -> Loaded:
    """As right after the load, whatever the test before did."""
    kept.migration.back_to("loaded")
    return kept


@pytest.mark.parametrize(
    ("table", "query", "column", "value", "file", "field"),
    [
        ("contact", "contacts", "firstname", "Mallory", "contacts.csv", "First Name, Last Name"),
        ("opportunity", "opportunities", "estimatedvalue", 1.0, "deals.csv", "Value"),
    ],
)
def test_one_corrupted_cell_is_found_and_named(
    loaded: Loaded, table: str, query: str, column: str, value: object, file: str, field: str
) -> None:
    migration = loaded.migration
    row = next(row for row in migration.rows(query) if row[column] is not None)
    migration.admin("cell", {"table": table, "id": row[f"{table}id"], "column": column, "value": value})
    document = migration.do("reconcile", code=5)
    assert document["differences"] == 1
    (finding,) = migration.do("findings", "--step", "reconcile")
    assert (finding["file"], finding["record"], finding["field"]) == (file, record_of(row), field)
    assert column in finding["what"]
    assert migration.do("status")["gates"]["load"]["state"] == "open"


def test_a_cell_put_right_again_is_no_difference_any_more(loaded: Loaded) -> None:
    migration = loaded.migration
    row = migration.rows("contacts?$select=lastname")[0]
    cell = {"table": "contact", "id": row["contactid"], "column": "lastname"}
    migration.admin("cell", {**cell, "value": "Mallory"})
    migration.do("reconcile", code=5)
    migration.admin("cell", {**cell, "value": row["lastname"]})
    assert migration.do("reconcile", code=3)["differences"] == 0
    assert migration.do("findings", "--step", "reconcile") == []


def test_a_row_that_vanished_is_named(loaded: Loaded) -> None:
    migration = loaded.migration
    task = migration.rows("tasks?$select=flit_sourceid")[0]
    migration.delete(f"tasks({task['activityid']})")
    assert migration.do("reconcile", code=5)["differences"] > 0
    found = migration.do("findings", "--step", "reconcile")
    assert {(f["file"], f["record"]) for f in found} == {("activities.csv", record_of(task))}


def test_a_row_edited_since_is_kept_and_listed_and_all_else_goes(loaded: Loaded) -> None:
    migration = loaded.migration
    alone = lone_contact(migration)
    migration.patch(f"contacts({alone['contactid']})", {"jobtitle": "Head of Sales"})
    undone = migration.do("rollback")
    assert (undone["kept"], undone["failed"], undone["equal"]) == (1, 0, True)
    (row,) = undone["kept_rows"]
    assert (row["table"], row["row"], row["why"]) == ("contact", alone["contactid"], "edited")
    assert (row["file"], row["record"]) == ("contacts.csv", record_of(alone))
    assert [each["jobtitle"] for each in migration.rows("contacts")] == ["Head of Sales"]
    for query in ("opportunities", "tasks", "emails", "phonecalls", "appointments", "annotations", "flit_notedetails"):
        assert migration.rows(query) == [], query


def test_a_new_task_keeps_the_contact_it_is_about_and_what_that_needs(loaded: Loaded) -> None:
    migration = loaded.migration
    contact = next(row for row in migration.rows("contacts") if row["_parentcustomerid_value"])
    about = {"regardingobjectid_contact@odata.bind": f"/contacts({contact['contactid']})"}
    migration.post("tasks", {"subject": "Ring back", **about})
    undone = migration.do("rollback")
    kept = {row["row"]: row["why"] for row in undone["kept_rows"]}
    assert kept == {contact["contactid"]: "referenced", contact["_parentcustomerid_value"]: "parent"}
    assert [row["subject"] for row in migration.rows("tasks")] == ["Ring back"]
    assert undone["equal"] is True


def test_a_dry_run_names_what_would_be_kept_and_touches_nothing(loaded: Loaded) -> None:
    migration = loaded.migration
    migration.patch(f"contacts({lone_contact(migration)['contactid']})", {"jobtitle": "Head of Sales"})
    now = migration.admin("fingerprint")
    shown = migration.do("rollback", "--dry-run")
    assert (shown["reversed"], shown["kept"]) == (0, 1)
    assert migration.admin("fingerprint") == now


def test_force_gives_the_literal_state_before(loaded: Loaded) -> None:
    migration = loaded.migration
    for contact in migration.rows("contacts?$select=jobtitle")[:2]:
        migration.patch(f"contacts({contact['contactid']})", {"jobtitle": "Edited"})
    undone = migration.do("rollback", "--force", "--schema")
    assert (undone["kept"], undone["failed"], undone["equal"], undone["schema"]) == (0, 0, True, "removed")
    assert migration.admin("fingerprint") == loaded.before
    columns = migration.rows("EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName")
    assert not [column for column in columns if column["LogicalName"].startswith("flit_")]


def test_what_was_kept_goes_when_rolled_back_with_force_later(loaded: Loaded) -> None:
    migration = loaded.migration
    migration.patch(f"contacts({lone_contact(migration)['contactid']})", {"jobtitle": "Head of Sales"})
    assert migration.do("rollback")["kept"] == 1
    assert migration.do("rollback", "--force", "--schema")["kept"] == 0
    assert migration.admin("fingerprint") == loaded.before


def lone_contact(migration: Migration) -> dict[str, Any]:
    """A contact of ours without a company, so that keeping it keeps nothing else."""
    return next(row for row in migration.rows("contacts") if not row["_parentcustomerid_value"])
