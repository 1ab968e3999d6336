"""A delta that is killed half way, and what a rollback makes of it: its own writes are nobody's edits, and `--last` takes it back."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source
from route.route_case import EXAMPLE, Migration, begin, command, environment, record_of, serving
from route.test_rollback_interrupted import edit, interrupted

pytestmark = pytest.mark.slow
TITLE = "Changed in the source"
# Rows are changed at once; that they were is told byte by byte, so that the client dies without knowing.
LATE = {"seed": 1, "rules": [{"kind": "trickle", "request": "UpdateMultiple", "probability": 1.0, "seconds": 20}]}
MOVED = ("versionnumber", "modifiedon")


def contacts(migration: Migration) -> dict[str, dict[str, Any]]:
    found = migration.rows("contacts?$filter=flit_sourceid ne null")
    return {record_of(row): {n: v for n, v in row.items() if n not in MOVED and "@" not in n} for row in found}


def kill_the_delta(migration: Migration) -> None:
    migration.admin("faults", LATE)
    words = command("load", "--project", str(migration.folder))
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as load:
        ends = time.monotonic() + 60
        while load.poll() is None and time.monotonic() < ends and contacts(migration)["p07"]["jobtitle"] != TITLE:
            time.sleep(0.1)
        load.kill()
    migration.admin("faults", {"rules": []})
    assert contacts(migration)["p07"]["jobtitle"] == TITLE


def load_anew(migration: Migration) -> None:
    migration.do("plan", "--delta", code={0, 3})
    migration.do("approve", "load")
    migration.do("load", code={0, 3})


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, Any], dict[str, Any]]]:
    """The migration at "stopped"; the contacts before the delta and the destination before everything."""
    folder: Path = tmp_path_factory.mktemp("stopped")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        empty = migration.admin("fingerprint")
        migration.do("run", "--rehearse", code={0, 3})
        before = contacts(migration)
        source.change("contacts", "p07", Title=TITLE, Phone="+49 30 5550")
        source.change("contacts", "p90", First_Name="Nina", Last_Name="Neu", Email="nina@neu.example")
        source.change("deals", "d02", Stage="Closed Won")
        migration.do("stage", "--export", str(source.partial()), "--partial", code={0, 3})
        migration.do("plan", "--delta", code={0, 3})
        migration.do("approve", "load")
        kill_the_delta(migration)
        migration.keep("stopped")
        yield migration, before, empty


def test_what_the_stopped_delta_wrote_is_nobodys_edit_but_what_a_person_wrote_after_it_is(stopped: Any) -> None:
    migration, before, _ = stopped
    migration.back_to("stopped")
    assert migration.do("rollback", "--dry-run")["kept_rows"] == []
    (ana,) = [row["systemuserid"] for row in migration.rows("systemusers") if row["firstname"] == "Ana"]
    (admin,) = [row["roleid"] for row in migration.rows("roles") if row["name"] == "System Administrator"]
    migration.post(f"systemusers({ana})/systemuserroles_association/$ref", {"@odata.id": f"roles({admin})"})
    now = contacts(migration)
    edited = {now[record]["contactid"] for record in ("p07", "p90")}  # one that the delta changed, one that it made
    for row in edited:
        edit(migration, f"contacts({row})", {"department": "Purchasing"}, ana)
    shown = migration.do("rollback", "--dry-run")["kept_rows"]
    assert {row["row"] for row in shown if row["why"] == "edited"} == edited
    last = migration.do("rollback", "--last")
    assert [(row["record"], row["why"]) for row in last["kept_rows"]] == [("p90", "edited")]
    assert contacts(migration)["p07"] == before["p07"] | {"department": "Purchasing"}


def test_the_last_one_is_taken_back_alone_and_can_be_loaded_again(stopped: Any) -> None:
    migration, before, empty = stopped
    migration.back_to("stopped")
    told = migration.do("rollback", "--last")
    assert (told["equal"], told["failed"], told["kept_rows"]) == (True, 0, [])
    assert contacts(migration) == before
    answer = migration.run("rollback", "--last")
    assert (answer.code, list(answer.errors)) == (2, ["no-delta"])
    load_anew(migration)
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert contacts(migration)["p07"]["jobtitle"] == TITLE
    assert "p90" in contacts(migration)
    undone = migration.do("rollback")
    assert (undone["equal"], undone["kept_rows"]) == (True, [])
    assert migration.admin("fingerprint") == empty


def test_a_rollback_of_it_that_was_stopped_is_ended_before_everything_is_taken_back(stopped: Any) -> None:
    migration, _, empty = stopped
    migration.back_to("stopped")
    interrupted(migration, "--last", request="batch")
    undone = migration.do("rollback")
    assert (undone["equal"], undone["kept_rows"]) == (True, [])
    assert migration.admin("fingerprint") == empty


def test_once_everything_is_being_taken_back_the_delta_alone_no_longer_can_be(stopped: Any) -> None:
    migration, _, empty = stopped
    migration.back_to("stopped")
    interrupted(migration, request="batch", skip=1)
    for words in (("--last",), ("--last", "--dry-run")):
        answer = migration.run("rollback", *words)
        assert (answer.code, list(answer.errors)) == (2, ["rollback-unfinished"])
        assert answer.errors["rollback-unfinished"]["do"].startswith("run: flitstack rollback ")
    assert migration.do("rollback")["equal"]
    assert migration.admin("fingerprint") == empty


def test_nothing_is_loaded_into_a_delta_that_is_half_taken_back(stopped: Any) -> None:
    migration, before, _ = stopped
    migration.back_to("stopped")
    interrupted(migration, "--last", request="batch")
    answer = migration.run("load")
    assert (answer.code, list(answer.errors)) == (2, ["rollback-unfinished"])
    assert answer.errors["rollback-unfinished"]["do"].startswith("run: flitstack rollback --last ")
    assert migration.do("rollback", "--last")["equal"]
    assert contacts(migration) == before
    load_anew(migration)
    assert contacts(migration)["p07"]["jobtitle"] == TITLE
