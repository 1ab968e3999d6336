"""A plan is executed: everything lands once, bad rows come out, running again does only what is missing."""

import base64
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loading.loading_case import LOST, ROWS, WON, Case, make_case, row, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Unavailable
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call, Done
from flitstack.errors import StepFailed
from flitstack.journal.journal import Journal
from flitstack.loading import counting, refusals
from flitstack.loading.document import LoadDocument
from flitstack.loading.refusals import save_refusals
from flitstack.loading.rows import make_done_view
from flitstack.planning.document import Plan, SendColumn, SendTable, Step


class Recording(MemoryDestination):
    """Remembers what was asked of it."""

    def start(self) -> "Recording":
        self.bulk: list[tuple[str, int]] = []
        self.batches: list[list[str]] = []
        return self

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        self.bulk.append((table.name, count))
        await super().create_rows(table, body, count)

    async def batch(self, calls: list[Call], *, continue_on_error: bool) -> list[Done]:  # type: ignore[override]
        self.batches.append([f"{call.kind} {call.table}" for call in calls])
        return await super().batch(calls, continue_on_error=continue_on_error)


def recording(case: Case) -> Recording:
    """The case's destination becomes one that remembers."""
    case.memory = Recording(case.memory_catalogue).start()
    return case.memory


def with_steps(case: Case, *steps: tuple[str, str]) -> Plan:
    """The case's plan with other steps, under another hash."""
    made = tuple(Step(n, kind, "people", table, kind, table, ROWS[table]) for n, (kind, table) in enumerate(steps))
    return replace(case.plan, steps=made, sha256="plan-2")


def requests(document: LoadDocument) -> int:
    """What the steps took, without asking and counting."""
    return sum(step.requests for step in document.steps)


def test_every_row_lookup_link_state_party_and_file_lands(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    document = case.load()
    stored = case.memory.stored
    assert {name: len(stored[name]) for name in ROWS} == ROWS
    assert stored["account"][row("account", 5)]["parentaccountid"] == ("account", row("account", 4))
    assert stored["contact"][row("contact", 33)]["parentcustomerid"] == ("account", row("account", 3))
    assert [stored["opportunity"][row("opportunity", n)]["statuscode"] for n in range(3)] == [WON, LOST, 1]
    assert len(stored["opportunityclose"]) == 8
    assert len(stored["email"][row("email", 2)]["_parties"]) == 2
    assert stored["annotation"][row("annotation", 1)]["filesize"] == 9
    assert len(case.memory.links["contactleads_association"]) == 16 + 2 * 17 - 1
    assert document.refused == 0
    assert all(count.closes for count in document.counts)
    assert {count.table for count in document.counts} == set(ROWS)


def test_rows_go_in_bulk_where_the_table_can_and_singly_with_parties(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    destination = recording(case)
    case.load()
    assert {table for table, _ in destination.bulk} == {"account", "lead", "contact", "opportunity"}
    assert [count for table, count in destination.bulk if table == "account"] == [7, 7, 7, 7, 2]
    assert ["create email"] * 7 in destination.batches


def test_loading_twice_is_loading_once(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.load()
    before = case.stored()
    again = case.load()
    assert case.stored() == before
    assert requests(again) == 0
    assert [step.before for step in again.steps if step.kind == "create"] == [30, 3, 50, 12, 8]


def test_a_bad_row_comes_out_and_its_batch_lands(tmp_path: Path) -> None:
    case = make_case(tmp_path, bad=("contact 3", "email 1"))
    document = case.load()
    assert row("contact", 3) not in case.memory.stored["contact"]
    assert len(case.memory.stored["contact"]) == 49
    assert document.refused == 2
    assert {name: code for name, (code, _) in case.refusals().items()} == {
        "contact 3": "0x80044331",
        "email 1": "0x80044331",
    }
    assert all(count.closes for count in document.counts)


def test_a_refused_row_is_listed_with_file_and_record(tmp_path: Path) -> None:
    case = make_case(tmp_path, bad=("contact 3",))
    case.load()
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        make_done_view(shared_engine(), journal)
        assert save_refusals(shared_engine(), journal, case.plan, tmp_path, tmp_path / "load.parquet") == 1
    finding = pq.read_table(tmp_path / "load.parquet").to_pylist()[0]
    assert (finding["code"], finding["object"], finding["file"], finding["record"], finding["outcome"]) == (
        "rejected_0x80044331",
        "contact",
        "x.csv",
        "3",
        "rejected",
    )


def test_refused_rows_are_listed_however_many_are_handed_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_ROWS_AT_ONCE", 2)
    bad = tuple(f"contact {n}" for n in range(5))
    case = make_case(tmp_path, bad=bad)
    case.load()
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        assert save_refusals(shared_engine(), journal, case.plan, tmp_path, tmp_path / "load.parquet") == 5
    told = pq.read_table(tmp_path / "load.parquet").to_pylist()
    assert [f"contact {finding['record']}" for finding in told] == list(bad)


def test_a_refused_row_lands_after_the_fix(tmp_path: Path) -> None:
    case = make_case(tmp_path, bad=("contact 3", "opportunity 0"))
    case.load()
    fixed = make_case(tmp_path)
    fixed.memory = case.memory
    document = fixed.load()
    assert fixed.refusals() == {}
    assert sum(step.done for step in document.steps) == 1 + 1 + 1  # both rows and the closing of one
    clean = make_case(tmp_path / "clean")
    clean.load()
    assert fixed.stored() == clean.stored()


def test_an_update_keeps_what_the_row_held_and_is_sent_again_only_when_its_content_changed(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.load()
    case.memory.stored["contact"][row("contact", 7)]["lastname"] = "edited"
    update = with_steps(case, ("update", "contact"))
    assert requests(case.load(plan=update)) > 0
    assert case.memory.stored["contact"][row("contact", 7)]["lastname"] == "contact 7"
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        held = {
            line["_row"]: line for _, lines in journal.before_images() for line in map(orjson.loads, lines.splitlines())
        }
    assert held[str(row("contact", 7))]["lastname"] == "edited"
    assert held[str(row("contact", 7))]["parentcustomerid"] == str(row("account", 7))
    assert len(held) == 50
    assert stat.S_IMODE((tmp_path / "journal" / "images.bin").stat().st_mode) == 0o600
    assert requests(case.load(plan=update)) == 0
    changed = make_case(tmp_path, bad=("contact 3",))
    changed.memory = case.memory
    last = changed.load(plan=update)
    assert (last.steps[0].done, last.steps[0].refused, last.steps[0].before) == (0, 1, 49)


def test_deleting_takes_rows_away_and_counts_those_already_gone(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.load()
    del case.memory.stored["email"][row("email", 0)]
    undo = replace(with_steps(case, ("delete", "email")), kind="rollback")
    document = case.load(plan=undo)
    assert case.memory.stored["email"] == {}
    assert (document.steps[0].done, document.refused) == (8, 0)
    assert requests(case.load(plan=undo)) == 0
    assert requests(case.load()) > 0  # deleted rows are missing again
    assert len(case.memory.stored["email"]) == 8


def test_a_file_that_is_gone_or_was_changed_rejects_its_note_alone(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    (tmp_path / "export" / "file1.txt").unlink()
    (tmp_path / "export" / "file2.txt").write_bytes(b"something else")
    case.load()
    assert {name: code for name, (code, _) in case.refusals().items()} == {
        "annotation 1": "file_missing",
        "annotation 2": "file_changed",
    }
    notes = case.memory.stored["annotation"].values()
    assert sum("filesize" in note for note in notes) == 4
    for n in (1, 2):
        (tmp_path / "export" / f"file{n}.txt").write_bytes(b"content %d" % n)
    case.load()
    assert case.refusals() == {}
    assert all("filesize" in note for note in notes)


def test_a_file_that_became_a_link_out_of_the_export_is_never_read(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    (tmp_path / "export" / "file1.txt").rename(tmp_path / "outside.txt")  # of the size and the bytes that were planned
    (tmp_path / "export" / "file1.txt").symlink_to(tmp_path / "outside.txt")
    case.load()
    assert {name: code for name, (code, _) in case.refusals().items()} == {"annotation 1": "file_missing"}
    assert sum("filesize" in note for note in case.memory.stored["annotation"].values()) == 5


class Forgetful(MemoryDestination):
    """Answers that a contact was made, and has not made it."""

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        await super().create_rows(table, body, count)
        self.stored.get("contact", {}).pop(row("contact", 5), None)


@pytest.mark.parametrize("rows_per_part", [9, 1_000_000])
def test_a_phase_whose_counts_do_not_close_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_part: int
) -> None:
    monkeypatch.setattr(counting, "ROWS_PER_PART", rows_per_part)
    case = make_case(tmp_path)
    case.memory = Forgetful(case.memory_catalogue)
    with pytest.raises(StepFailed, match="of 50 made now the destination has 49"):
        case.load()
    assert "email" not in case.memory.stored


def test_a_phase_of_changes_of_rows_that_stood_before_us_needs_no_count(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.load()
    stood = UUID(int=1)
    case.memory.stored["contact"][stood] = {"contactid": stood, "lastname": "was here"}
    shared_engine().write_parquet(
        f"SELECT * REPLACE (UUID '{stood}' AS _row, 'ours' AS lastname), ['lastname'] AS _changed, NULL::BIGINT AS _version "
        f"FROM read_parquet('{tmp_path / 'contact.parquet'}') WHERE _ord = 0",
        tmp_path / "update.parquet",
    )
    shared_engine().write_parquet(
        f"SELECT * FROM read_parquet('{tmp_path / 'annotation.parquet'}') WHERE _ord = 1", tmp_path / "files.parquet"
    )
    (tmp_path / "export" / "file1.txt").write_bytes(b"changed 1")
    names = (SendColumn("lastname", "String", "lastname", "lastname"),)
    update = SendTable("update", "contact", "changes", "update.parquet", 1, "", names, ("contact",), is_change=True)
    files = SendTable("files", "annotation", "changes", "files.parquet", 1, "", (), ("annotation",), is_change=True)
    steps = [Step(n, kind, "changes", "", kind, kind, 1) for n, kind in enumerate(("update", "files"))]
    tables = (update, replace(files, has_files=True))
    plan = replace(case.plan, kind="delta", tables=tables, steps=tuple(steps), sha256="changes")
    document = case.load(plan=plan)
    assert (document.refused, document.counts) == (0, ())
    assert case.memory.stored["contact"][stood]["lastname"] == "ours"
    content = case.memory.stored["annotation"][row("annotation", 1)]["documentbody"]
    assert content == base64.b64encode(b"changed 1").decode()


class ReadsPages(Forgetful):
    """Gives all rows a page at a time, and is away for a moment in the middle of them."""

    away = 2

    async def rows(self, table: Table, columns: Sequence[str], **wanted: object) -> AsyncIterator[pa.RecordBatch]:  # type: ignore[override]
        if "source_keyed" in wanted:
            assert wanted["source_keyed"] == "ex_sourcekey"
        ids = sorted(self.stored.get(table.name, {}))
        for place in range(0, len(ids), 20):
            if self.away and place:
                self.away -= 1
                raise Unavailable("gone")
            async for page in super().rows(table, columns, ids=ids[place : place + 20]):
                yield page


@pytest.mark.parametrize("order", ["_ord", "hash(_row)"])
def test_many_rows_are_counted_by_reading_what_has_a_source_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(counting, "FEW_ROWS", 12)
    monkeypatch.setattr(counting, "ROWS_PER_PART", 9)
    case = make_case(tmp_path)
    contacts = tmp_path / "contact.parquet"
    shared_engine().write_parquet(f"SELECT * FROM read_parquet('{contacts}') ORDER BY {order}", contacts)
    case.memory = ReadsPages(case.memory_catalogue)
    for name in ("account", "contact"):
        table = case.memory.tables[name]
        key = replace(table.columns["name" if name == "account" else "lastname"], name="ex_sourcekey")
        case.memory.tables[name] = replace(table, columns={**table.columns, "ex_sourcekey": key})
    with pytest.raises(StepFailed, match="of 50 made now the destination has 49"):
        case.load()
    assert case.memory.away == 0


def test_a_table_the_environment_lacks_is_named(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    del case.memory.tables["contact"]
    with pytest.raises(StepFailed, match="no table contact"):
        case.load()


def test_an_id_of_somebody_else_is_no_proof_that_a_row_landed(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.memory.stored["account"] = {UUID(int=1): {"name": "was here", "createdon": None}}
    case.load()
    assert len(case.memory.stored["account"]) == 31
