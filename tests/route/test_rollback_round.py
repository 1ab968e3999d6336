"""The last delta taken back by itself: cells, states and rows as the round before left them; an edit made since stays."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import EXAMPLE, Migration, begin, record_of, serving

TAGS = "flit_tag_contact"

pytestmark = pytest.mark.slow


@dataclass
class Undone:
    """What stood before the round, what `rollback --dry-run` and `rollback --last` told, and what stands after."""

    migration: Migration
    before: dict[str, dict[str, Any]]
    shown: dict[str, Any]
    told: dict[str, Any]
    after: dict[str, dict[str, Any]]
    again: dict[str, Any]
    spared: list[dict[str, Any]]
    tags: dict[str, dict[str, list[str]]]
    files: dict[str, dict[str, str]]
    redone: dict[str, dict[str, Any]]


def tags_of(migration: Migration) -> dict[str, list[str]]:
    """Names of the tag rows that each contact is joined with, by record."""
    return {
        record_of(row): sorted(
            tag["flit_name"] for tag in migration.rows(f"contacts({row['contactid']})/{TAGS}?$select=flit_name")
        )
        for row in migration.rows("contacts?$select=flit_sourceid")
        if row["flit_sourceid"]
    }


def files_of(migration: Migration) -> dict[str, str]:
    """Contents of files by name."""
    found = migration.rows("annotations?$select=filename,documentbody&$filter=filename ne null")
    return {row["filename"]: row["documentbody"] for row in found}


def rows(migration: Migration) -> dict[str, dict[str, Any]]:
    """Contacts and deals by record."""
    found = [*migration.rows("contacts"), *migration.rows("opportunities")]
    return {record_of(row): row for row in found if row["flit_sourceid"]}


@pytest.fixture(scope="module")
def undone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undone]:
    folder = tmp_path_factory.mktemp("undone")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        scoping = folder / "scoping.json"
        scoping.write_text(json.dumps(json.loads((EXAMPLE / "scoping.json").read_text()) | {"tag_strategy": "table"}))
        migration = begin(folder / "acme", url, EXAMPLE, scoping=scoping)
        migration.do("run", "--rehearse", code={0, 3})
        before = rows(migration)
        tags, files = {"before": tags_of(migration)}, {"before": files_of(migration)}
        decide(migration, delta_absent={"contact": "delete"})
        source.change("contacts", "p07", Title="Changed in the source", Phone="+49 30 5550", Tags="Brand new; Second")
        source.change(
            "contacts",
            "p90",
            First_Name="Nina",
            Last_Name="Neu",
            Email="nina@neu.example",
            Owner_Email="ana@northbeam.example",
        )
        source.change("deals", "d02", Stage="Closed Won")
        source.change("deals", "d01", Stage="Negotiation")
        del source.records["contacts"]["p09"], source.records["contacts"]["p14"]
        export = source.full()
        (export / "attachments" / "f01.txt").write_text("another menu, and a longer one")
        same_size = export / "attachments" / "f02"
        same_size.write_bytes(same_size.read_bytes()[::-1])
        take_round(migration, export, "--full")
        changed = rows(migration)
        assert (changed["d02"]["statecode"], changed["d01"]["statecode"], "p09" in changed) == (1, 0, False)
        tags["changed"], files["changed"] = tags_of(migration), files_of(migration)
        spared = migration.do("findings", "--code", "absent_in_use")
        migration.patch(f"contacts({before['p07']['contactid']})", {"telephone1": "+49 30 edited"})
        shown = migration.do("rollback", "--last", "--dry-run")
        # The second batch finds the sign-in gone: deals are open again by then, and not yet closed as they were.
        migration.admin("faults", {"rules": [{"kind": "expired_token", "request": "batch", "skip": 1}]})
        assert migration.run("rollback", "--last").code == 1
        migration.admin("faults", {"rules": []})
        told = migration.do("rollback", "--last", code={0, 5})
        assert told["equal"], {name: t for name, t in told["tables"].items() if t["gone"] or t["changed"]}
        after = rows(migration)
        tags["after"], files["after"] = tags_of(migration), files_of(migration)
        again = migration.do("plan", "--delta", code={0, 3})
        migration.do("approve", "load")
        migration.do("load", code={0, 3})
        yield Undone(migration, before, shown, told, after, again, spared, tags, files, rows(migration))


def test_what_will_happen_is_shown_before_anything_is_done(undone: Undone) -> None:
    shown = undone.shown["buckets"]
    assert shown["reversed"] == 3  # a contact and the two tags it brought
    assert shown["restored"] >= 3
    assert shown["kept_cells"] == 1
    assert undone.shown["reversed"] == 0


def test_changed_cells_get_their_earlier_value_and_an_edit_made_since_stays(undone: Undone) -> None:
    assert undone.after["p07"]["jobtitle"] == undone.before["p07"]["jobtitle"]
    assert undone.after["p07"]["telephone1"] == "+49 30 edited"
    assert [(r["record"], r["column"]) for r in undone.told["kept_rows"]] == [("p07", "telephone1")]


def test_states_are_as_before(undone: Undone) -> None:
    for record in ("d01", "d02"):
        assert undone.after[record]["statecode"] == undone.before[record]["statecode"], record
        assert undone.after[record]["statuscode"] == undone.before[record]["statuscode"], record
    assert undone.before["d01"]["actualclosedate"] == "2024-04-30"
    for column in ("actualclosedate", "actualvalue"):
        assert undone.after["d01"][column] == undone.before["d01"][column], column


def test_links_and_files_are_as_before(undone: Undone) -> None:
    assert undone.tags["changed"]["p07"] != undone.tags["before"]["p07"]
    assert undone.tags["after"] == undone.tags["before"]
    both = undone.files["changed"], undone.files["before"]
    assert len({name for name in both[0] if both[0][name] != both[1][name]}) == 2  # one of them is as long as before
    assert undone.files["after"] == undone.files["before"]


def test_rows_that_the_round_made_are_gone_and_those_it_deleted_are_back(undone: Undone) -> None:
    assert undone.after.keys() == undone.before.keys()
    assert undone.after["p09"]["contactid"] == undone.before["p09"]["contactid"]


def test_a_row_that_others_point_to_is_never_deleted(undone: Undone) -> None:
    assert [f["record"] for f in undone.spared] == ["p14"]


def test_the_round_can_be_planned_again(undone: Undone) -> None:
    assert undone.told["failed"] == 0
    assert undone.again["tables"]["contact"]["created"] == 1
    assert undone.again["tables"]["opportunity"]["updated"] == 2


def test_the_delta_loaded_again_is_carried_out_again(undone: Undone) -> None:
    assert (undone.redone["d02"]["statecode"], undone.redone["d01"]["statecode"]) == (1, 0)
    assert undone.redone["p07"]["jobtitle"] == "Changed in the source"
    assert "p90" in undone.redone
    assert "p09" not in undone.redone


def test_then_everything_is_taken_back(undone: Undone) -> None:
    told = undone.migration.do("rollback", "--force")
    assert (told["failed"], told["equal"]) == (0, True)
