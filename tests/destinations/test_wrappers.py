"""The wrappers over a destination in memory: waiting out pauses, dry runs, planted mishaps."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from destinations.faulty import FaultyDestination
from destinations.send_rows import some_id

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Table
from flitstack.destinations.dry_run import DryRunDestination
from flitstack.destinations.faults import Refused, Throttled, Unanswered, Unavailable
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call
from flitstack.destinations.throttled import ThrottledDestination

CATALOGUE = load_catalogue()
ACCOUNT = CATALOGUE.tables["account"]


def body(*ids: UUID, name: str = "x") -> Body:
    return b"[", b",".join(f'{{"_row":"{row}","name":"{name}"}}'.encode() for row in ids), b"]"


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)


def throttled(*inner: Any) -> tuple[ThrottledDestination, Clock]:
    clock = Clock()
    return ThrottledDestination(inner, clock, clock.sleep), clock


def test_a_throttled_call_waits_out_the_pause_and_lands_once() -> None:
    memory = MemoryDestination(CATALOGUE)
    faulty = FaultyDestination(memory, seed=1, rate=1.0, kinds=["throttled"], most=3)
    paced, clock = throttled(faulty)
    asyncio.run(paced.create_rows(ACCOUNT, body(some_id(1)), 1))
    assert faulty.happened["throttled"] == 3
    assert sum(clock.slept) >= 3 * 0.01
    assert len(memory.stored["account"]) == 1


def test_another_user_takes_over_while_one_is_paused() -> None:
    memory = MemoryDestination(CATALOGUE)
    tired = FaultyDestination(memory, seed=1, rate=1.0, kinds=["throttled"])
    paced, clock = throttled(tired, memory)
    for number in range(5):
        asyncio.run(paced.create_rows(ACCOUNT, body(some_id(number)), 1))
    assert len(memory.stored["account"]) == 5
    assert sum(clock.slept) < 0.01


def test_many_calls_at_once_all_get_their_turn() -> None:
    memory = MemoryDestination(CATALOGUE)
    paced, _ = throttled(memory)

    async def whole() -> None:
        await asyncio.gather(*(paced.create_rows(ACCOUNT, body(some_id(n)), 1) for n in range(300)))

    asyncio.run(whole())
    assert len(memory.stored["account"]) == 300
    assert paced.lanes[0].pace.running == 0


def test_while_one_user_is_paused_the_other_reads_and_writes() -> None:
    first, second = Described(), Described()
    paced, clock = throttled(first, second)
    paced.lanes[0].paused(300.0, "0x80072322")
    ended: dict[str, float] = {}

    async def describe() -> None:
        await paced.table("account")  # the first user's alone
        ended["described"] = clock()

    async def write() -> None:
        await paced.create_rows(ACCOUNT, body(some_id(1)), 1)
        ended["written"] = clock()

    async def read() -> None:
        assert sum([batch.num_rows async for batch in paced.rows(ACCOUNT, ["name"])]) == 1
        ended["read"] = clock()

    async def whole() -> None:
        await asyncio.gather(describe(), write())
        paced.lanes[0].paused(300.0, "0x80072322")
        running = paced.lanes[1].pace.begin(clock(), "batch", 1)
        await read()
        paced.lanes[1].pace.end(clock(), running, "batch", 1, 0.1)

    asyncio.run(whole())
    assert ended["written"] < 1300 <= ended["described"]
    assert ended["read"] < 1500


def test_other_faults_pass_through_and_give_their_place_back() -> None:
    for kind, fault in (("unavailable", Unavailable), ("lost after", Unanswered), ("refused", Refused)):
        paced, _ = throttled(FaultyDestination(MemoryDestination(CATALOGUE), seed=1, rate=1.0, kinds=[kind]))
        with pytest.raises(fault):
            asyncio.run(paced.create_rows(ACCOUNT, body(some_id(1)), 1))
        assert paced.lanes[0].pace.running == 0


def test_pages_take_their_turn() -> None:
    memory = MemoryDestination(CATALOGUE)
    asyncio.run(memory.create_rows(ACCOUNT, body(some_id(1)), 1))
    paced, _ = throttled(memory)

    async def whole() -> int:
        return sum([batch.num_rows async for batch in paced.rows(ACCOUNT, ["name"])])

    assert asyncio.run(whole()) == 1


class Described(MemoryDestination):
    """Counts how often it is asked for a table, and takes schema operations without doing them."""

    def __init__(self) -> None:
        super().__init__(CATALOGUE)
        self.asked: list[str] = []
        self.applied = 0

    async def table(self, name: str) -> Table | None:
        self.asked.append(name)
        return await super().table(name)

    async def apply(self, operation: Mapping[str, Any]) -> None:
        self.applied += 1


def test_a_command_reads_a_tables_metadata_once_until_it_changes_the_schema_and_one_user_does_both() -> None:
    first, second = Described(), Described()
    paced, _ = throttled(first, second)

    async def whole() -> None:
        for _ in range(3):
            assert await paced.table("account") == ACCOUNT
        await paced.apply({"kind": "create_column"})
        assert await paced.table("account") == ACCOUNT

    asyncio.run(whole())
    assert (first.asked, first.applied) == (["account", "account"], 1)
    assert (second.asked, second.applied) == ([], 0)


def test_a_table_that_is_not_there_is_asked_for_again() -> None:
    memory = Described()
    paced, _ = throttled(memory)
    assert asyncio.run(paced.table("new_absent")) is None
    assert asyncio.run(paced.table("new_absent")) is None
    assert memory.asked == ["new_absent", "new_absent"]


def test_a_dry_run_writes_nothing_and_counts_everything() -> None:
    memory = MemoryDestination(CATALOGUE)
    dry = DryRunDestination(memory)

    async def whole() -> list[Any]:
        await dry.create_rows(ACCOUNT, body(some_id(1), some_id(2)), 2)
        calls = [
            Call("create", "account", some_id(3), b'{"_row":"%s","name":"x"}' % str(some_id(3)).encode()),
            Call("update", "account", some_id(3), b'{"name":"%s"}' % (b"x" * 161)),
            Call("delete", "account", some_id(3)),
        ]
        return await dry.batch(calls, continue_on_error=True)

    done = asyncio.run(whole())
    assert [d.refusal.code if d.refusal else "" for d in done] == ["", "0x80044331", ""]
    assert dict(dry.written) == {("create", "account"): 3, ("delete", "account"): 1}
    assert memory.stored == {}


def test_a_dry_run_refuses_what_the_live_lengths_forbid() -> None:
    with pytest.raises(Refused, match="0x80044331"):
        asyncio.run(
            DryRunDestination(MemoryDestination(CATALOGUE)).create_rows(ACCOUNT, body(some_id(1), name="x" * 161), 1)
        )


def test_a_dry_run_knows_the_columns_it_would_have_made() -> None:
    memory = MemoryDestination(CATALOGUE)
    dry = DryRunDestination(memory)
    operation = {"kind": "add_column", "table": "account", "name": "cr1_x", "type": "String", "length": 5}
    asyncio.run(dry.apply(operation))
    made = asyncio.run(dry.table("account"))
    assert made is not None
    assert made.columns["cr1_x"].max_length == 5
    assert asyncio.run(memory.table("account")) is ACCOUNT
    asyncio.run(dry.revert(operation))
    assert asyncio.run(dry.table("account")) == ACCOUNT


def test_mishaps_repeat_with_their_seed() -> None:
    def play(seed: int) -> list[str]:
        faulty = FaultyDestination(MemoryDestination(CATALOGUE), seed, rate=0.5)
        names = []
        for number in range(60):
            try:
                asyncio.run(faulty.create_rows(ACCOUNT, body(some_id(number)), 1))
                names.append("")
            except (Throttled, Unavailable, Unanswered) as fault:
                names.append(str(fault))
        return names

    assert play(7) == play(7)
    assert play(7) != play(8)
    assert {"planted: lost before", "planted: lost after"} <= set(play(7))
