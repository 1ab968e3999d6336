"""Rollbacks one after another: shown while another is begun, stopped and gone on with, of the last round and then of everything."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import EXAMPLE, Migration, begin, command, environment, record_of, serving
from route.test_rollback_interrupted import edit, interrupted

pytestmark = pytest.mark.slow
OLDER = {"firstname": "Olga", "lastname": "Older", "emailaddress1": "olga@older.example"}
MOVED = ("versionnumber", "modifiedon", "_modifiedby_value", "_modifiedonbehalfby_value")
# What a load does after its deletes is to read: time enough to be killed in.
SLOW = {"rules": [{"kind": "slow", "request": "read", "seconds": 0.4}]}


@dataclass(frozen=True)
class Turns:
    """A load and a delta of it. Kept: `planned` (the delta is approved), `stopped` (it was killed once it had deleted p09),
    `finished`. `before`: the contacts that the load made; `ana`: a user who may edit; `source`: what the export holds."""

    migration: Migration
    before: dict[str, dict[str, Any]]
    ana: str
    source: Source

    def edit(self, record: str, **values: str) -> None:
        row = contacts(self.migration)[record]["contactid"]
        edit(self.migration, f"contacts({row})", values, self.ana)


def contacts(migration: Migration) -> dict[str, dict[str, Any]]:
    found = migration.rows("contacts?$filter=flit_sourceid ne null")
    return {record_of(row): {n: v for n, v in row.items() if n not in MOVED and "@" not in n} for row in found}


def accounts(migration: Migration) -> set[str]:
    return {row["accountid"] for row in migration.rows("accounts?$select=accountid")}


def stop_after_deleting(migration: Migration) -> None:
    rows = migration.admin("fingerprint")["tables"]["contact"]["rows"]
    migration.admin("faults", SLOW)
    words = command("load", "--project", str(migration.folder))
    most = rows
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as load:
        ends = time.monotonic() + 120
        while load.poll() is None and time.monotonic() < ends:
            now = migration.admin("fingerprint")["tables"]["contact"]["rows"]
            if now < most:
                break
            most = now
            time.sleep(0.05)
        assert load.poll() is None, "it came to its end before it could be killed"
        load.kill()
    migration.admin("faults", {"rules": []})


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turns]:
    folder: Path = tmp_path_factory.mktemp("turns")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        scoping = folder / "scoping.json"
        scoping.write_text(json.dumps(json.loads((EXAMPLE / "scoping.json").read_text()) | {"tag_strategy": "table"}))
        migration = begin(folder / "acme", url, EXAMPLE, scoping=scoping)
        migration.post("contacts", OLDER)
        migration.do("run", "--rehearse", code={0, 3})
        (ana,) = [row["systemuserid"] for row in migration.rows("systemusers") if row["firstname"] == "Ana"]
        (admin,) = [row["roleid"] for row in migration.rows("roles") if row["name"] == "System Administrator"]
        migration.post(f"systemusers({ana})/systemuserroles_association/$ref", {"@odata.id": f"roles({admin})"})
        before = contacts(migration)
        decide(migration, delta_absent={"contact": "delete"})
        source.change("contacts", "p07", Title="Changed in the source", Phone="+49 30 5550")
        source.change("contacts", "p08", Title="Changed as well")
        new = {"Last_Name": "Neu", "Company": "Harbour Lights GmbH", "Owner_Email": "ana@northbeam.example"}
        source.change("contacts", "p90", First_Name="Nina", Email="nina@neu.example", **new)
        source.change("contacts", "p91", First_Name="Nora", Email="nora@neu.example", **new)
        source.change("contacts", "p92", First_Name="Olga", Last_Name="Older", Email="olga@older.example", Tags="VIP")
        del source.records["contacts"]["p09"]
        migration.do("stage", "--export", str(source.full()), "--full", code={0, 3})
        migration.do("plan", "--delta", code={0, 3})
        migration.do("approve", "load")
        migration.keep("planned")
        stop_after_deleting(migration)
        migration.keep("stopped")
        migration.back_to("planned")
        migration.do("load", code={0, 3})
        after = contacts(migration)
        assert {"p90", "p91"} <= after.keys()
        assert "p09" not in after
        migration.keep("finished")
        yield Turns(migration, before, ana, source)


def test_showing_a_rollback_leaves_the_one_that_was_begun_as_it_is(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("finished")
    turns.edit("p90", department="Purchasing")
    interrupted(migration, "--last", request="UpdateMultiple")
    shown = migration.do("rollback", "--last", "--dry-run")
    for words in (("--last", "--force"), ()):
        answer = migration.run("rollback", *words, "--dry-run")
        assert (answer.code, list(answer.errors)) == (2, ["rollback-unfinished"])
        assert answer.errors["rollback-unfinished"]["do"].startswith("run: flitstack rollback --last ")
    told = migration.do("rollback", "--last")
    assert [(row["record"], row["why"]) for row in told["kept_rows"]] == [("p90", "edited")]
    assert (shown["kept_rows"], shown["planned"]) == (told["kept_rows"], told["reversed"])
    after = contacts(migration)
    assert (after.keys() - turns.before.keys(), turns.before.keys() - after.keys()) == ({"p90"}, set())


def test_what_an_interrupted_one_gives_back_is_given_back_but_for_the_edited_cells(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("finished")
    interrupted(migration, "--last", request="UpdateMultiple")
    turns.edit("p07", department="Purchasing")
    turns.edit("p08", jobtitle="Edited")
    turns.edit("p91", department="Sales")
    interrupted(migration, "--last", request="UpdateMultiple")
    told = migration.do("rollback", "--last")
    kept = [(row["record"], row["why"], row.get("column", "")) for row in told["kept_rows"]]
    assert sorted(kept) == [("p08", "edited", "jobtitle"), ("p91", "edited", "")]
    assert (told["buckets"]["kept_edited"], told["buckets"]["kept_cells"], told["equal"]) == (1, 1, True)
    after = contacts(migration)
    assert after["p07"] == turns.before["p07"] | {"department": "Purchasing"}
    assert after["p08"] == turns.before["p08"] | {"jobtitle": "Edited"}
    assert after.keys() - turns.before.keys() == {"p91"}


def test_a_row_that_it_made_again_before_it_was_interrupted_is_not_deleted_by_the_next(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("stopped")
    interrupted(migration, "--last", request="UpdateMultiple")
    assert "p09" in contacts(migration)
    assert migration.do("rollback", "--last", "--force")["equal"]
    after = contacts(migration)
    assert after.keys() == turns.before.keys()
    assert after["p09"]["contactid"] == turns.before["p09"]["contactid"]


def test_what_it_made_again_and_took_away_is_nobodys_edit_and_nobodys_loss_afterwards(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("stopped")
    assert migration.do("rollback", "--last")["equal"]
    (older,) = migration.rows("contacts?$filter=emailaddress1 eq 'olga@older.example'")
    (tag,) = [row for row in migration.rows("flit_tags") if row["flit_name"] == "VIP"]
    link = f"contacts({older['contactid']})/flit_tag_contact"
    assert migration.rows(link) == []
    # Now somebody sets the tag that the delta had set.
    migration.post(f"{link}/$ref", {"@odata.id": f"flit_tags({tag['flit_tagid']})"})
    shown = migration.do("rollback", "--dry-run")
    assert shown["kept_rows"] == []
    assert shown["buckets"]["restored"] == 0
    assert migration.do("rollback")["equal"]
    assert contacts(migration) == {}


def test_a_row_that_the_last_round_made_and_that_stays_is_kept_by_the_next_one_with_all_it_needs(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("finished")
    turns.edit("p90", department="Purchasing")
    kept = migration.do("rollback", "--last")["kept_rows"]
    assert [(row["record"], row["why"]) for row in kept] == [("p90", "edited")]
    needed = contacts(migration)["p90"]["_parentcustomerid_value"]
    told = migration.do("rollback")
    why = {(row["table"], row["why"]) for row in told["kept_rows"]}
    assert (why, told["equal"]) == ({("contact", "edited"), ("account", "parent")}, True)
    (stays,) = contacts(migration).values()
    assert (stays["department"], stays["_parentcustomerid_value"]) == ("Purchasing", needed)
    assert needed in accounts(migration)
    forced = migration.do("rollback", "--force")
    assert (forced["reversed"], forced["equal"]) == (2, True)
    assert contacts(migration) == {}
    assert needed not in accounts(migration)


def test_what_a_stopped_delta_made_and_the_next_one_does_not_mean_is_taken_back_as_well(turns: Turns) -> None:
    migration = turns.migration
    migration.back_to("stopped")
    del turns.source.records["contacts"]["p90"]
    take_round(migration, turns.source.full(), "--full")
    shown = migration.do("rollback", "--dry-run")
    assert shown["kept_rows"] == []
    assert migration.do("rollback")["equal"]
    assert contacts(migration) == {}
