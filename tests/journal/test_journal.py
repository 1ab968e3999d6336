"""The journal as its users see it: what was committed is there, what was not is not."""

import asyncio
import os
import stat
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_rows import ids_of, intend, refuse

from flitstack.errors import StepFailed
from flitstack.journal import replay
from flitstack.journal.audit import entries, runs
from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.journal.journal import Allocation, Journal
from flitstack.journal.segments import Appender
from flitstack.keys import sql_server_order


def settled(journal: Journal) -> list[tuple[UUID, int, int]]:
    """(row, operation, status) of every settled row."""
    journal.refresh()
    rows = []
    for path in journal.rows_files():
        table = pq.read_table(path)
        rows += list(zip(*(table[n].to_pylist() for n in ("row", "operation", "status")), strict=True))
    return rows


def test_an_intent_without_outcome_is_unsettled_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        first = intend(journal, 1)
        second = intend(journal, 2, rows=2)
        journal.settle(Outcome(first, 3))
        journal.commit_now()
    with Journal(tmp_path, "ana", write=True) as journal:
        assert list(journal.state.unsettled) == [second]
        assert journal.state.unsettled[second].ids == ids_of(2, 2)
        assert settled(journal) == [(UUID(int=1 << 64 | n), Operation.CREATE, Status.LANDED) for n in range(3)]


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        intend(journal, 1)
    with Journal(tmp_path, "ana", write=False) as journal:
        assert not journal.state.unsettled


def test_batch_numbers_go_on_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        first = intend(journal, 1)
        journal.commit_now()
    with Journal(tmp_path, "ana", write=True) as journal:
        assert intend(journal, 2) > first


def test_a_refused_row_keeps_code_and_message_until_it_lands(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        refuse(journal, intend(journal, 1), 3, 1)
        journal.commit_now()
        journal.refresh()
        row = ids_of(1, 3)[16:32]
        assert journal.state.refusals == {("account", row): ("0x80040265", "no")}
        again = journal.intend(1, Operation.CREATE, "account", row, bytes(8))
        journal.settle(Outcome(again, 1))
        journal.commit_now()
        journal.refresh()
        assert journal.state.refusals == {}


def test_a_refused_state_is_not_forgotten_when_a_lookup_lands(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        refuse(journal, intend(journal, 1, operation=Operation.STATE), 3, 1)
        journal.settle(Outcome(intend(journal, 1, operation=Operation.LOOKUPS), 3))
        journal.commit_now()
        journal.refresh()
        assert len(journal.state.refusals) == 1
        assert journal.state.refused == {("account", ids_of(1, 3)[16:32]): ((Operation.STATE, ("0x80040265", "no")),)}


def test_each_refused_operation_of_a_row_lands_by_itself_and_a_deleted_row_has_none(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        for operation in (Operation.LINK, Operation.STATE):
            refuse(journal, intend(journal, 1, operation=operation), 3, 1)
        journal.settle(Outcome(intend(journal, 1, operation=Operation.STATE), 3))
        journal.commit_now()
        journal.refresh()
        assert [list(dict(verdicts)) for verdicts in journal.state.refused.values()] == [[Operation.LINK]]
        journal.settle(Outcome(intend(journal, 1, operation=Operation.DELETE), 3))
        journal.commit_now()
        journal.refresh()
        assert not journal.state.refused


def test_rows_that_are_refused_for_one_reason_share_it_however_often_the_journal_is_read(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        for number in range(1, 6):
            listed = tuple((place, "0x80040265", "the table is closed") for place in range(30))
            journal.settle(Outcome(intend(journal, number, rows=30), 30, bytes([Status.REFUSED]) * 30, listed))
            journal.commit_now()
            journal.refresh()
        assert len(journal.state.refused) == 150
        assert len({id(verdicts) for verdicts in journal.state.refused.values()}) == 1


def test_reasons_that_name_their_row_are_told_though_only_some_are_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_MOST_SHARED", 2)
    with Journal(tmp_path, "ana", write=True) as journal:
        listed = tuple((place, "0x80040265", f"row {place // 2}") for place in range(10))
        journal.settle(Outcome(intend(journal, 1, rows=10), 10, bytes([Status.REFUSED]) * 10, listed))
        journal.commit_now()
        journal.refresh()
        told = [verdict for _, verdict in sorted(journal.state.refusals.items())]
    assert told == [("0x80040265", f"row {place // 2}") for place in range(10)]


def test_coroutines_that_wait_together_share_one_sync(tmp_path: Path) -> None:
    async def write_many(journal: Journal) -> None:
        async def one(number: int) -> None:
            batch = intend(journal, number)
            await journal.commit()
            journal.settle(Outcome(batch, 3))
            await journal.commit()

        await asyncio.gather(*(one(number) for number in range(50)))

    syncs: list[str] = []
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.on_boundary = syncs.append
        asyncio.run(write_many(journal))
    assert 2 <= syncs.count("after commit") <= 10
    with Journal(tmp_path, "ana", write=False) as journal:
        assert not journal.state.unsettled
        assert len(settled(journal)) == 150


def test_a_quick_disk_is_written_to_directly_and_a_slow_one_in_a_thread(tmp_path: Path) -> None:
    threads: list[int] = []
    pause_s = 0.0

    def write(point: str) -> None:
        time.sleep(pause_s)
        if point == "before commit":
            threads.append(threading.get_ident())

    async def commit(journal: Journal, times: int) -> None:
        for _ in range(times):
            intend(journal, len(threads))
            await journal.commit()

    with Journal(tmp_path, "ana", write=True) as journal:
        journal.on_boundary = write
        pause_s = 0.02
        asyncio.run(commit(journal, 3))
        assert threads[0] == threading.get_ident()
        assert threads[-1] != threading.get_ident()
    with Journal(tmp_path, "ana", write=False) as journal:
        assert len(journal.state.unsettled) == 3


def test_what_is_settled_is_durable_once_the_journal_is_refreshed(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        batch = intend(journal, 1)
        asyncio.run(journal.commit())
        journal.settle(Outcome(batch, 3))
        journal.refresh()
    with Journal(tmp_path, "ana", write=False) as journal:
        assert not journal.state.unsettled


def test_after_a_failed_write_nothing_is_promised_any_more(tmp_path: Path) -> None:
    def fail(_: str) -> None:
        raise OSError("no space left on device")

    with Journal(tmp_path, "ana", write=True) as journal:
        journal.on_boundary = fail
        intend(journal, 1)
        with pytest.raises(OSError, match="no space"):
            asyncio.run(journal.commit())
        journal.on_boundary = lambda _: None
        with pytest.raises(OSError, match="no space"):
            journal.commit_now()


def test_row_ids_are_never_given_twice(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        first = journal.allocate("account", 10)
        assert journal.allocate("contact", 5).base != first.base
    with Journal(tmp_path, "ana", write=True) as journal:
        second = journal.allocate("account", 10)
        ids = [first.at(n) for n in range(10)] + [second.at(n) for n in range(10)]
        assert len(set(ids)) == 20
        assert second.base == first.base


@given(counts=st.lists(st.integers(1, 300), min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_row_ids_ascend_in_the_destinations_order_over_every_reopening(counts: list[int]) -> None:
    """Ascending as SQL Server compares ids: so its index grows at one end."""
    ids: list[UUID] = []
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            with Journal(Path(name), "ana", write=True) as journal:
                allocation = journal.allocate("account", count)
                ids += [allocation.at(place) for place in range(count)]
    assert len(set(ids)) == sum(counts)
    assert sorted(ids, key=sql_server_order) == ids


@given(base=st.binary(min_size=8, max_size=8), first=st.integers(0, (1 << 48) - 2_000), place=st.integers(0, 1_999))
def test_the_engine_counts_ids_as_python_does(base: bytes, first: int, place: int) -> None:
    allocation = Allocation(base, first, 2_000)
    with duckdb.connect() as engine:
        found = engine.execute(f"SELECT {allocation.at_sql('n')} FROM (SELECT {place}::BIGINT AS n)").fetchall()
    assert found == [(allocation.at(place),)]


def test_a_key_map_changed_behind_the_journals_back_is_found(tmp_path: Path) -> None:
    draft = tmp_path / "draft.parquet"
    pq.write_table(pa.table({"digest": ["a" * 32]}), draft)
    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        journal.store_keys("account", draft)
        path = journal.keymap_path("account")
        assert path is not None
        assert not draft.exists()
        assert journal.verify()[1] == []
        path.write_bytes(path.read_bytes() + b"x")
        assert "keymap/account" in journal.verify()[1][0].segment
        assert journal.keymap_path("contact") is None


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_a_key_map_is_the_noted_one_wherever_a_crash_interrupts_its_exchange(tmp_path: Path, moment: str) -> None:
    def draft(*digests: str) -> Path:
        pq.write_table(pa.table({"digest": list(digests)}), tmp_path / "made.parquet")
        return tmp_path / "made.parquet"

    def kill(here: str) -> None:
        if here == moment:
            raise Killed

    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        journal.store_keys("account", draft("a"))
        journal.on_boundary = kill
        with pytest.raises(Killed):
            journal.store_keys("account", draft("a", "b"))
    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        assert journal.verify()[1] == []
        path = journal.keymap_path("account")
        assert path is not None
        assert pq.read_table(path)["digest"].to_pylist() == (["a"] if moment == "before commit" else ["a", "b"])
        assert list(path.parent.iterdir()) == [path]


def test_before_images_are_compressed_readable_by_the_owner_alone_and_can_be_erased(tmp_path: Path) -> None:
    lines = b'{"telephone1":"+380 44 000 00 00"}\n' * 500
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.intend(3, Operation.UPDATE, "account", ids_of(1, 1), bytes(8), before=lines)
        journal.commit_now()
        journal.intend(3, Operation.UPDATE, "account", ids_of(2, 1), bytes(8), before=b"{}\n")
        journal.commit_now()
        images = tmp_path / "images.bin"
        assert images.stat().st_size < len(lines) / 4
        assert stat.S_IMODE(images.stat().st_mode) == 0o600
    with Journal(tmp_path, "ana", write=True) as journal:
        assert [(intent.table, image) for intent, image in journal.before_images()] == [
            ("account", lines),
            ("account", b"{}\n"),
        ]
        journal.erase_images()
        assert not images.exists()
        assert journal.notes("images-erased")
        assert list(journal.before_images()) == []


def test_images_kept_after_an_erasure_are_not_taken_for_those_before(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.intend(3, Operation.UPDATE, "account", ids_of(1, 1), bytes(8), before=b'{"name":"old"}\n')
        journal.commit_now()
        journal.erase_images()
        journal.intend(3, Operation.UPDATE, "account", ids_of(2, 1), bytes(8), before=b'{"name":"new"}\n')
        journal.commit_now()
        kept = [(intent.ids, image) for intent, image in journal.before_images()]
    assert kept == [(ids_of(2, 1), b'{"name":"new"}\n')]
    with Journal(tmp_path, "ana", write=False) as journal:
        assert [(intent.ids, image) for intent, image in journal.before_images()] == kept
        assert [path.name for path in tmp_path.glob("images*")] == ["images.1.bin"]


def test_an_erasure_that_a_crash_interrupted_is_ended_on_opening(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.intend(3, Operation.UPDATE, "account", ids_of(1, 1), bytes(8), before=b"{}\n")
        journal.commit_now()
        journal.note("images-erased")  # noted, and then the process died
    assert (tmp_path / "images.bin").exists()
    with Journal(tmp_path, "ana", write=True) as journal:
        assert not (tmp_path / "images.bin").exists()
        assert list(journal.before_images()) == []


def test_a_reader_sees_a_loaders_rows_and_writes_nothing_into_its_folder(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.settle(Outcome(intend(journal, 1), 3))
        journal.commit_now()
        before = sorted(path.name for path in tmp_path.rglob("*"))
        with Journal(tmp_path, "ben", write=False) as reader:
            files = reader.rows_files()
            count = pq.read_table(files[0]).num_rows
            assert count == 3
            with pytest.raises(StepFailed, match="for reading"):
                reader.begin_run("plan", "load")
        assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("left", [0, 3, 200])
def test_row_files_that_lost_their_end_in_a_power_cut_are_made_again(tmp_path: Path, left: int) -> None:
    with Journal(tmp_path, operator="ana", write=True) as journal:
        journal.settle(Outcome(intend(journal, 1), 3))
        journal.commit_now()
        journal.refresh()
        rows = settled(journal)
    (file,) = (tmp_path / "rows").glob("*.parquet")
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:left].ljust(size, b"\0"))
    with Journal(tmp_path, operator="ana", write=True) as journal:
        assert settled(journal) == rows


def test_a_row_file_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync, replaced = os.fsync, Path.replace

    def watched(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        assert path.stat().st_ino in synced
        return replaced(path, target)

    monkeypatch.setattr(os, "fsync", watched)
    with Journal(tmp_path, operator="ana", write=True) as journal:
        journal.settle(Outcome(intend(journal, 1), 3))
        journal.commit_now()
        monkeypatch.setattr(Path, "replace", renamed)
        journal.refresh()
        assert len(journal.rows_files()) == 1


def test_segments_are_closed_when_full_and_rows_of_all_of_them_are_read(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal._appender = Appender(tmp_path / "segments", segment_bytes=500)
        waiting = intend(journal, 99)  # its outcome will lie many segments later
        for number in range(1, 20):
            journal.settle(Outcome(intend(journal, number), 3))
            journal.commit_now()
            journal.refresh()
        journal.settle(Outcome(waiting, 3))
        journal.commit_now()
        assert len(list((tmp_path / "segments").glob("*.segment"))) > 5
        rows = settled(journal)
        assert len(rows) == len(set(rows)) == 60
        assert journal.verify()[1] == []
    with Journal(tmp_path, "ana", write=True) as journal:
        assert settled(journal) == rows
        assert not journal.state.unsettled


def test_the_audit_names_operator_run_and_time_of_every_row(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.begin_run("plan-1", "load")
        refuse(journal, intend(journal, 1, rows=2), 2, 1)
        intend(journal, 2, rows=1)
        journal.commit_now()
    with Journal(tmp_path, "ben", write=True) as journal:
        journal.begin_run("plan-2", "rollback")
        journal.settle(Outcome(intend(journal, 1, rows=1, operation=Operation.DELETE), 1))
        journal.commit_now()
        journal.refresh()
        assert [(run.number, run.plan, run.operator) for run in runs(journal)] == [
            (1, "plan-1", "ana"),
            (2, "plan-2", "ben"),
        ]
        told = [(e.run, e.operator, e.operation, e.row.int & 0xFF, e.status) for e in entries(journal)]
        assert told == [
            (1, "ana", "create", 0, "landed"),
            (1, "ana", "create", 1, "refused"),
            (2, "ben", "delete", 0, "landed"),
            (1, "ana", "create", 0, "unsettled"),
        ]


def test_runs_of_a_round_that_was_taken_back_no_longer_stand(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        for plan, command in (("first", "load"), ("delta", "load"), ("undo", "rollback")):
            journal.begin_run(plan, command)
        journal.note_round_rolled_back([2, 3])
        journal.begin_run("later", "load")
        assert journal.standing_runs() == [1, 4]
    with Journal(tmp_path, "ana", write=True) as journal:
        assert journal.standing_runs() == [1, 4]
        journal.note("round_rolled_back")  # as older versions noted it: their runs count
        journal.note_rolled_back()
        assert journal.standing_runs() == []
