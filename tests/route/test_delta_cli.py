"""One round through the commands: what changed is sent, an edit made in Dynamics stays, mistakes are told."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, take_round
from route.route_case import EXAMPLE, Migration, begin, record_of, serving

from flitstack.app.hypercare import hypercare_until


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("round")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        assert migration.run("plan", "--delta").errors["nothing-loaded"]["do"]
        migration.do("run", "--rehearse", code={0, 3})
        contact = next(row for row in migration.rows("contacts") if record_of(row) == "p07")
        migration.patch(f"contacts({contact['contactid']})", {"jobtitle": "Edited in Dynamics"})
        source.change("contacts", "p07", Title="Changed in the source", Phone="+49 30 5550")
        source.change("deals", "d02", Stage="Closed Won")
        yield migration, take_round(migration, source.partial())


def test_a_round_sends_what_changed_and_keeps_the_edit(taken: tuple[Migration, dict[str, Any]]) -> None:
    migration, plan = taken
    contact = next(row for row in migration.rows("contacts") if record_of(row) == "p07")
    assert contact["jobtitle"] == "Edited in Dynamics"
    assert contact["telephone1"].endswith("5550")
    assert (plan["tables"]["contact"]["updated"], plan["tables"]["contact"]["conflicts"]) == (1, 1)
    assert [f["field"] for f in migration.do("findings", "--code", "edit_conflict")] == ["Title"]


def test_status_tells_the_round_and_nothing_differs(taken: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = taken
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    status = migration.do("status")
    assert [entry["kind"] for entry in status["rounds"]] == ["full", "delta"]
    assert status["accounts"]["Contact"] | {"closes": True} == status["accounts"]["Contact"]
    assert (status["accounts"]["Contact"]["read"], status["accounts"]["Contact"]["updated"]) == (1, 1)
    assert (bool(status["freeze"]), status["hypercare"]) == (True, {})


def test_a_signed_switch_ends_the_reminder_and_begins_hypercare(taken: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = taken
    migration.do("reconcile", code={0, 3})
    migration.do("approve", "cutover")
    status = migration.do("status")
    assert status["freeze"] == ""
    assert status["hypercare"]["until"] == hypercare_until(datetime.now(UTC).date()).isoformat()


def test_a_plan_of_everything_is_refused_while_a_later_export_is_staged(
    taken: tuple[Migration, dict[str, Any]],
) -> None:
    migration, _ = taken
    assert "--delta" in migration.run("plan").errors["delta-wanted"]["do"]


def test_a_journal_lost_after_a_round_is_made_again_and_nothing_is_loaded_twice(
    taken: tuple[Migration, dict[str, Any]], tmp_path: Path
) -> None:
    """Notes carry no source key: the plan of the round names only those that it changed."""
    migration, _ = taken
    notes = len(migration.rows("annotations"))
    journal = next((migration.folder / ".flitstack").glob("*/journal"))
    shutil.move(journal, tmp_path / "lost")
    for command in (["status"], ["plan", "--delta"], ["load"], ["reconcile"], ["rollback"]):
        assert "journal recover" in migration.run(*command).errors["journal-lost"]["do"]
    found = {one["table"]: one for one in migration.do("journal", "recover")["tables"]}
    assert (found["annotation"]["by"], found["annotation"]["created"], notes > 0) == ("plan", notes, True)
    recovered = tmp_path / "recovered"
    shutil.copytree(journal, recovered)
    plan = migration.do("plan", "--delta", code={0, 3})
    migration.do("approve", "load")
    migration.do("load", code={0, 3})
    shutil.move(journal, tmp_path / "newest")
    shutil.move(recovered, journal)
    assert "newest copy" in migration.run("status").errors["journal-older"]["do"]
    shutil.rmtree(journal)
    shutil.move(tmp_path / "newest", journal)
    assert [name for name, counts in plan["tables"].items() if counts.get("created")] == []


def test_a_record_that_could_not_be_read_is_told_although_a_later_export_has_a_record_of_its_number(
    taken: tuple[Migration, dict[str, Any]], tmp_path: Path
) -> None:
    migration, _ = taken
    source = Source.example(tmp_path / "later")
    source.change("contacts", "p90", First_Name="Nora", Email="nora@northbeam.example")
    first = source.partial()
    with (first / "contacts.csv").open("a", encoding="utf-8") as file:
        file.write("p91,Otto\n")
    migration.do("stage", "--export", str(first), "--partial", code=3)
    source.change("contacts", "1", First_Name="Ida", Email="ida@northbeam.example")
    source.change("contacts", "2", First_Name="Paul", Email="paul@northbeam.example")
    migration.do("stage", "--export", str(source.partial()), "--partial", code=3)
    assert [f["line"] for f in migration.do("findings", "--step", "stage") if f["outcome"] == "held"] == [3]
    accounts = migration.do("plan", "--delta", code={0, 3})["accounts"]["Contact"]
    assert (accounts["read"], accounts["held"], accounts["planned"]) == (4, 1, 3)
