"""A rollback killed before or after any write, and at every journal boundary, ends as one that was not."""

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from crash.test_crash import Fuse, Guillotine, Killed
from crash.test_crash_changes import delta_case
from loading.loading_case import WON, Case, shared_engine

from flitstack.planning.document import SendColumn, SendTable, Step

ENDLESS = 1_000_000


def undo_of(case: Case) -> Case:
    """The case after its delta, with the plan that takes the delta back and the history of the load besides."""
    folder, engine = case.folder, shared_engine()
    deals, people = (f"read_parquet('{folder / name}.parquet')" for name in ("opportunity", "contact"))
    opened = "'state' AS _action, 0::BIGINT AS _state, 1::BIGINT AS _status"
    won = f"'win' AS _action, 1::BIGINT AS _state, {WON}::BIGINT AS _status"
    for name, sql in {
        "undo_win": f"SELECT * REPLACE ({opened}) FROM {deals} WHERE _ord % 3 = 2",
        "undo_names": f"SELECT *, ['lastname'] AS _changed, NULL::BIGINT AS _version FROM {people} WHERE _ord % 2 = 0",
        "undo_links": f"SELECT * FROM {people} WHERE len(_links) > 0",
        "undo_open": f"SELECT * REPLACE ({won}) FROM {deals} WHERE _ord % 3 = 0",
    }.items():
        engine.write_parquet(sql, folder / f"{name}.parquet")
    names = (SendColumn("lastname", "String", "lastname", "lastname"),)
    history = [
        replace(send, name=f"undo_{send.table}", columns=()) for send in _loaded(case) if send.phase == "history"
    ]
    tables = (
        ("state", _send("undo_win", "opportunity", 4, has_states=True)),
        ("update", _send("undo_names", "contact", 25, columns=names)),
        ("disassociate", _send("undo_links", "contact", 33, has_links=True)),
        ("state", _send("undo_open", "opportunity", 4, has_states=True)),
        *(("delete", send) for send in reversed(history)),
    )
    steps = tuple(
        Step(n, kind, "undo", send.table, kind, send.name, send.rows) for n, (kind, send) in enumerate(tables)
    )
    case.plan = replace(
        case.plan, kind="rollback", tables=tuple(send for _, send in tables), steps=steps, sha256="undo"
    )
    return case


def _loaded(case: Case) -> list[SendTable]:
    plain = {"content_hash": "", "columns": (), "objects": ()}
    return [
        SendTable(name, name, "history", f"{name}.parquet", rows, **plain)
        for name, rows in (("email", 8), ("annotation", 6))
    ]  # type: ignore[arg-type]


def _send(name: str, table: str, rows: int, **traits: object) -> SendTable:
    plain: dict[str, object] = {"columns": (), "is_change": True} | traits
    return SendTable(name, table, "undo", f"{name}.parquet", rows, "", objects=(table,), **plain)  # type: ignore[arg-type]


@dataclass
class Whole:
    """The case before its rollback, what an undisturbed one leaves, and how many boundaries and moments of a write it has."""

    before: Case
    stored: object
    links: object
    boundaries: int
    writes: int

    def again(self, folder: Path) -> Case:
        """A copy to be killed."""
        shutil.copytree(self.before.folder, folder)
        memory = Guillotine(self.before.memory_catalogue)
        memory.stored, memory.links = deepcopy(self.before.memory.stored), deepcopy(self.before.memory.links)
        memory.fuse = Fuse(ENDLESS)
        plan = replace(self.before.plan, export=str(folder / "export"))
        return Case(folder, plan, memory, self.before.memory_catalogue, self.before.options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    case = delta_case(tmp_path_factory.mktemp("rollback") / "case")
    case.load()
    this = Whole(undo_of(case), None, None, 0, 0)
    played = this.again(tmp_path_factory.mktemp("played") / "case")
    boundaries, writes = Fuse(ENDLESS), Fuse(ENDLESS)
    played.memory.fuse = writes  # type: ignore[attr-defined]
    played.load(hook=boundaries)
    this.stored, this.links = played.stored(), played.memory.links
    this.boundaries, this.writes = boundaries.burnt, writes.burnt
    return this


def test_a_rollback_gives_back_what_the_delta_changed(whole: Whole) -> None:
    stored = whole.stored
    assert isinstance(stored, dict)
    assert {row["lastname"].split()[0] for row in stored["contact"].values()} == {"contact"}
    assert (stored["email"], stored["annotation"]) == ({}, {})
    assert not any(whole.links.values())  # type: ignore[attr-defined]


def _kill_everywhere(
    places: int, tmp_path: Path, whole: Whole, arm: Callable[[Case, int], Callable[[str], None] | None]
) -> int:
    kills = 0
    for place in range(places):
        case = whole.again(tmp_path / str(place))
        try:
            case.load(hook=arm(case, place))
        except Killed:
            kills += 1
            case.memory.fuse = Fuse(ENDLESS)  # type: ignore[attr-defined]
        case.load()
        assert case.stored() == whole.stored, f"killed at {place}"
        assert case.memory.links == whole.links, f"killed at {place}"
    return kills


def test_killed_before_or_after_any_write_it_goes_on_as_if_it_had_not_been(tmp_path: Path, whole: Whole) -> None:
    def arm(case: Case, place: int) -> None:
        case.memory.fuse = Fuse(place)  # type: ignore[attr-defined]

    assert _kill_everywhere(whole.writes, tmp_path, whole, arm) == whole.writes


def test_killed_at_any_journal_boundary_it_goes_on_as_if_it_had_not_been(tmp_path: Path, whole: Whole) -> None:
    kills = _kill_everywhere(whole.boundaries, tmp_path, whole, lambda _, place: Fuse(place))
    assert kills > whole.boundaries * 0.8  # how many commits share a sync varies a little
