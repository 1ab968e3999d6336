"""Rows of ours that no send table of a rollback holds: found by the journal, placed by the states on disk, named by the key map."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from loading.loading_case import shared_engine

from flitstack.app.project import Project, ProjectSettings
from flitstack.app.rounds import state_folder
from flitstack.app.strays import with_strays
from flitstack.documents import save_json
from flitstack.journal.frames import Operation, Outcome
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view
from flitstack.packs.read import load_pack
from flitstack.planning.document import Plan, SendColumn, SendTable
from flitstack.staging.engine.engine import read_parquet

EMPTY = Plan(1, "full", "", "", "", "", "", "", {}, "", (), (), (), {}, "")
WRITTEN, KEPT_BEFORE, SAMPLED, DELETED = (UUID(int=number) for number in range(1, 5))
FACTS = "'Contact' AS _object, 'contacts.csv' AS _file, 'p1' AS _record, 2::BIGINT AS _line, 1 AS _ord"


def send(folder: Path, row: UUID, name: str, **traits: object) -> SendTable:
    path = folder / f"{name}.parquet"
    sql = f"SELECT UUID '{row}' AS _row, UUID '{WRITTEN}' AS accountid, ['accountid'] AS _changed, {FACTS}"
    shared_engine().write_parquet(sql, path)
    columns = (SendColumn("accountid", "Lookup", "", "", is_lookup=True),)
    return SendTable(name, "contact", "people", str(path), 1, "", columns, (), **traits)  # type: ignore[arg-type]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Four rows were made, one of them deleted since; the sample's is a lead, the others are contacts."""
    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        journal.begin_run("plan", "load")
        made = (("contact", (WRITTEN, KEPT_BEFORE, DELETED)), ("lead", (SAMPLED,)))
        for table, rows in made:
            batch = journal.intend(1, Operation.CREATE, table, b"".join(r.bytes for r in rows), bytes(8 * len(rows)))
            journal.settle(Outcome(batch, len(rows)))
        batch = journal.intend(1, Operation.DELETE, "contact", DELETED.bytes, bytes(8))
        journal.settle(Outcome(batch, 1))
        keys = tmp_path / "keys.parquet"
        key = f"SELECT 'd' AS digest, 'klipy/Contact/p7' AS plain, 'Contact' AS object, UUID '{SAMPLED}' AS \"row\""
        shared_engine().write_parquet(key, keys)
        journal.store_keys("lead", keys)
        journal.commit_now()
        journal.refresh()
        make_done_view(shared_engine(), journal)
        yield journal


def test_none_is_forgotten_and_what_a_state_knows_of_it_is_kept(tmp_path: Path, journal: Journal) -> None:
    project = Project(
        tmp_path, ProjectSettings(pack="klipy", export="export"), load_pack("klipy"), {}, "ana", "sandbox"
    )
    state = state_folder(project, "earlier")
    kept = send(state, KEPT_BEFORE, "01_contact")
    # In this state a row of ours is taken for one that was there before: it says nothing of what to delete.
    there = send(state, SAMPLED, "02_contact", was_there=True)
    save_json(state / "whole.json", replace(EMPTY, tables=(kept, there)))
    save_json(state / "left.json", EMPTY)
    plan = replace(EMPTY, tables=(send(tmp_path, WRITTEN, "00_contact"),))

    once = with_strays(project, shared_engine(), journal, plan)
    again = with_strays(project, shared_engine(), journal, once)
    for found in (once, again):
        rows = {
            (
                s.table,
                len(s.columns),
                *shared_engine().one(f"SELECT _row, _object, _record FROM {read_parquet(s.parquet)}"),
            )
            for s in found.tables
        }
        assert rows == {
            ("contact", 1, WRITTEN, "Contact", "p1"),
            ("contact", 1, KEPT_BEFORE, "Contact", "p1"),
            ("lead", 0, SAMPLED, "Contact", "p7"),
        }
        assert [s.table for s in found.tables] == ["contact", "contact", "lead"]


def test_where_every_row_stands_in_a_send_table_nothing_is_added(tmp_path: Path, journal: Journal) -> None:
    project = Project(
        tmp_path, ProjectSettings(pack="klipy", export="export"), load_pack("klipy"), {}, "ana", "sandbox"
    )
    sends = [send(tmp_path, row, f"0{number}_contact") for number, row in enumerate((WRITTEN, KEPT_BEFORE))]
    lead = replace(send(tmp_path, SAMPLED, "02_lead"), table="lead")
    plan = replace(EMPTY, tables=(*sends, lead))
    assert with_strays(project, shared_engine(), journal, plan) == plan
