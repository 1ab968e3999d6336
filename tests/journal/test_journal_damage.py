"""Laws: a journal cut anywhere opens as a prefix of whole commits; a journal changed anywhere is found out."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_rows import intend, refuse

from flitstack.errors import StepFailed
from flitstack.journal.frames import (
    HEADER,
    Intent,
    Operation,
    Outcome,
    intent_frame,
    outcome_frame,
    read_frames,
    read_intent,
    read_outcome,
)
from flitstack.journal.journal import Journal
from flitstack.journal.segments import Appender, reaches, verify_chain

# One step of a history: how many rows an intent has, how the batch ends (or not yet), whether a commit follows.
STEPS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["landed", "refused", "open"]), st.booleans()), min_size=1, max_size=12
)
State = tuple[tuple[int, ...], tuple[bytes, ...]]


def state_of(journal: Journal) -> State:
    """What a reader can tell: unsettled batches and refused rows, in order."""
    return tuple(journal.state.unsettled), tuple(row for _, row in journal.state.refusals)


def write_history(folder: Path, steps: list[tuple[int, str, bool]]) -> list[State]:
    """Play the steps; the states after each commit, oldest first."""
    states: list[State] = [((), ())]
    with Journal(folder, "ana", write=True) as journal:
        for number, (rows, end, commits) in enumerate(steps):
            batch = intend(journal, number, rows)
            if end == "landed":
                journal.settle(Outcome(batch, rows))
            elif end == "refused":
                refuse(journal, batch, rows, rows - 1)
            if commits:
                journal.commit_now()
                journal.refresh()
                states.append(state_of(journal))
    return states


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, data=st.data())
def test_cut_at_any_byte_it_opens_as_whole_commits_and_goes_on(
    steps: list[tuple[int, str, bool]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        states = write_history(folder, steps)
        segment = folder / "segments" / "000001.segment"
        whole = segment.read_bytes()
        kept = data.draw(st.integers(0, len(whole)), label="bytes kept")
        segment.write_bytes(whole[:kept])
        with Journal(folder, "ana", write=True) as journal:
            assert state_of(journal) in states
            assert (state_of(journal) == states[-1]) or kept < len(whole)
            assert journal.torn_bytes == kept - segment.stat().st_size
            batch = intend(journal, 99)
            journal.commit_now()
        with Journal(folder, "ana", write=False) as journal:
            assert batch in journal.state.unsettled
            groups, breaks = journal.verify()
            assert not breaks
            assert groups >= 1


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, data=st.data())
def test_verify_finds_any_changed_byte(steps: list[tuple[int, str, bool]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_history(folder, [(1, "landed", True), *steps])
        segment = folder / "segments" / "000001.segment"
        content = bytearray(segment.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1), label="byte")
        content[place] ^= data.draw(st.integers(1, 255), label="changed by")
        segment.write_bytes(bytes(content))
        assert verify_chain(folder / "segments")[1]


def test_damage_before_the_last_group_is_not_cut_away(tmp_path: Path) -> None:
    write_history(tmp_path, [(2, "landed", True)] * 4)
    segment = tmp_path / "segments" / "000001.segment"
    content = bytearray(segment.read_bytes())
    content[20] ^= 1
    segment.write_bytes(bytes(content))
    with pytest.raises(StepFailed, match="whole groups lie behind"):
        Journal(tmp_path, "ana", write=True)
    assert segment.read_bytes() == bytes(content)


def test_a_torn_group_whose_seal_reached_the_disk_first_is_cut(tmp_path: Path) -> None:
    states = write_history(tmp_path, [(2, "open", True), (2, "open", True)])
    segment = tmp_path / "segments" / "000001.segment"
    content = bytearray(segment.read_bytes())
    content[len(content) // 2 + 20] ^= 1  # inside the second group, whose seal is whole
    segment.write_bytes(bytes(content))
    with Journal(tmp_path, "ana", write=True) as journal:
        assert state_of(journal) == states[1]
        assert journal.torn_bytes


def test_a_closed_segment_that_ends_early_is_damage(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal._appender = Appender(tmp_path / "segments", segment_bytes=200)
        for number in range(6):
            intend(journal, number)
            journal.commit_now()
    first = tmp_path / "segments" / "000001.segment"
    first.write_bytes(first.read_bytes()[:-10])
    with pytest.raises(StepFailed, match=r"000001\.segment"):
        Journal(tmp_path, "ana", write=True)


def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal._appender = Appender(tmp_path / "segments", segment_bytes=200)
        for number in range(6):
            intend(journal, number)
            journal.commit_now()
    (tmp_path / "segments" / "000002.segment").unlink()
    with pytest.raises(StepFailed, match=r"000002\.segment of the journal is missing, 000003\.segment is there"):
        Journal(tmp_path, "ana", write=False)


INTENT = intent_frame(Intent(7, 1, Operation.CREATE, "account", bytes(32), bytes(16)))[HEADER.size :]
OUTCOME = outcome_frame(Outcome(7, 2, b"\x00\x01", ((1, "0x80040265", "no"),)))[HEADER.size :]


@given(kept=st.integers(0, len(INTENT) - 1), more=st.binary(min_size=1, max_size=40))
def test_an_intent_without_an_id_and_a_hash_for_each_row_is_damage(kept: int, more: bytes) -> None:
    assert read_intent(memoryview(INTENT)).rows == 2
    for payload in (INTENT[:kept], INTENT + more):
        with pytest.raises(StepFailed, match=r"too short|wrong length"):
            read_intent(memoryview(payload))


@given(kept=st.integers(0, len(OUTCOME) - len(b'[[1,"0x80040265","no"]]')))
def test_an_outcome_without_a_status_for_each_row_is_damage(kept: int) -> None:
    assert read_outcome(memoryview(OUTCOME)).refusals == ((1, "0x80040265", "no"),)
    with pytest.raises(StepFailed, match=r"too short|wrong length"):
        read_outcome(memoryview(OUTCOME[:kept]))


@given(garbage=st.binary(max_size=400))
def test_garbage_is_no_frame_and_promises_no_bytes_that_are_not_there(garbage: bytes) -> None:
    for end, _, payload in read_frames(memoryview(garbage)):
        assert len(payload) < end <= len(garbage)


def test_a_group_moved_from_another_journal_breaks_the_chain(tmp_path: Path) -> None:
    write_history(tmp_path / "a", [(2, "landed", True), (2, "landed", True)])
    write_history(tmp_path / "b", [(3, "landed", True)])
    here = tmp_path / "a" / "segments" / "000001.segment"
    other = tmp_path / "b" / "segments" / "000001.segment"
    here.write_bytes(here.read_bytes() + other.read_bytes())
    with Journal(tmp_path / "a", "ana", write=False) as journal:
        assert "does not follow" in journal.verify()[1][0].what


@given(held=st.integers(1, 12), kept=st.integers(0, 12), segment_bytes=st.sampled_from([200, 1 << 20]))
def test_an_older_copy_does_not_reach_where_the_journal_ended(held: int, kept: int, segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, copy = Path(name) / "journal", Path(name) / "copy"
        appender = Appender(folder, segment_bytes=segment_bytes)
        assert appender.position is None
        for number in range(held):
            if number == kept:
                shutil.copytree(folder, copy)
            appender.write(bytes([number]) * 40)
        position = appender.position
        assert position is not None
        assert reaches(folder, position)
        appender.write(b"more")
        appender.close()
        assert reaches(folder, position)
        other = Appender(Path(name) / "other", segment_bytes=segment_bytes)
        for number in range(held + 1):
            other.write(bytes([number + 100]) * 40)
        other.close()
        assert not reaches(Path(name) / "other", position) or position.end == 0
        assert not copy.exists() or not reaches(copy, position)
