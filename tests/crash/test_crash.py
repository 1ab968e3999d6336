"""Killed at every journal boundary, and around every write: going on afterwards equals never having been killed."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from loading.loading_case import Case, make_case

from flitstack.catalogue.types import Table
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call, Done
from flitstack.loading.sending import SendOptions

BAD = ("contact 3", "email 1")


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Burns down with each step; the one after the last kills, and so does every later one."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.burnt = 0

    def __call__(self, _: str = "") -> None:
        self.burnt += 1
        if self.burnt > self.steps:
            raise Killed


class Guillotine(MemoryDestination):
    """Kills its client before or after a write, when the fuse has burnt down."""

    fuse = Fuse(1_000_000)

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        self.fuse()
        await super().create_rows(table, body, count)
        self.fuse()

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        self.fuse()
        await super().update_rows(table, rows)
        self.fuse()

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self.fuse()
        done = await super().batch(calls, continue_on_error=continue_on_error)
        self.fuse()
        return done

    async def attach(self, table: Table, row: object, file_name: str, mime_type: str, content: bytes) -> None:
        self.fuse()
        await super().attach(table, row, file_name, mime_type, content)  # type: ignore[arg-type]
        self.fuse()


def small_case(folder: Path) -> Case:
    """Few, larger requests: fewer boundaries to be killed at."""
    case = make_case(folder, bad=BAD)
    case.options = SendOptions(batch_rows=20, server_limit_s=0.0, in_flight=3)
    case.memory = Guillotine(case.memory_catalogue)
    return case


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object, int, int]:
    """What an undisturbed load leaves, and how many boundaries and moments of a write it has."""
    case = small_case(tmp_path_factory.mktemp("whole"))
    boundaries, writes = Fuse(1_000_000), Fuse(1_000_000)
    case.memory.fuse = writes  # type: ignore[attr-defined]
    case.load(hook=boundaries)
    return case.stored(), case.refusals(), boundaries.burnt, writes.burnt


def test_killed_at_any_journal_boundary_it_goes_on_as_if_it_had_not_been(
    tmp_path: Path, whole: tuple[object, object, int, int]
) -> None:
    stored, refusals, boundaries, _ = whole
    kills = 0
    for place in range(boundaries):
        case = small_case(tmp_path / str(place))
        try:
            case.load(hook=Fuse(place))
        except Killed:
            kills += 1
        case.load()
        assert case.stored() == stored, f"killed at boundary {place}"
        assert case.refusals() == refusals
    assert kills > boundaries * 0.8  # how many commits share a sync varies a little


def test_killed_before_or_after_any_write_it_goes_on_as_if_it_had_not_been(
    tmp_path: Path, whole: tuple[object, object, int, int]
) -> None:
    stored, refusals, _, writes = whole
    for place in range(writes):
        case = small_case(tmp_path / str(place))
        case.memory.fuse = Fuse(place)  # type: ignore[attr-defined]
        with pytest.raises(Killed):
            case.load()
        case.memory.fuse = Fuse(1_000_000)  # type: ignore[attr-defined]
        case.load()
        assert case.stored() == stored, f"killed at write {place}"
        assert case.refusals() == refusals


@pytest.mark.parametrize("moments", [8, 9, 13])
def test_killed_again_and_again_it_comes_to_an_end(tmp_path: Path, moments: int) -> None:
    case, undisturbed = make_case(tmp_path), make_case(tmp_path / "undisturbed")
    undisturbed.load()
    kills = 0
    while kills < 100:
        try:
            case.load(hook=Fuse(moments))
        except Killed:
            kills += 1
        else:
            break
    assert 2 < kills < 100
    assert case.stored() == undisturbed.stored()
