"""What a delta takes for changed when a load was stopped: nobody knows which of the states that stand the destination holds."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from flitstack.catalogue.read import load_catalogue
from flitstack.planning.absent import Policies
from flitstack.planning.changes import Side, write_changes
from flitstack.planning.changing import DeltaInputs, delta_plan
from flitstack.planning.delta import write_kept
from flitstack.planning.document import Plan, SendColumn, SendTable
from flitstack.staging.engine.engine import Engine, literal, read_parquet

TABLE = "contact"
PHONE = SendColumn("telephone1", "String", "Phone", "telephone1")
NOBODY = 'SELECT NULL::UUID AS "row" WHERE FALSE'
LINKS = 'STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID)[]'
ONE, TWO = UUID(int=1), UUID(int=2)
Rows = dict[UUID, tuple[str, list[int]]]  # phone, numbers of tags


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "scratch", memory_mb=64) as engine:
        yield engine


def side(engine: Engine, folder: Path, rows: Rows) -> Side:
    listed = " UNION ALL ".join(
        f"SELECT {place}::BIGINT AS _ord, UUID '{row}' AS _row, 'd' AS _digest, 'Contact' AS _object, 'f' AS _file, 'r' AS _record, "
        f"1::BIGINT AS _line, FALSE AS _beside, {literal(phone)} AS telephone1, "
        f"[{', '.join(_tag(tag) for tag in tags)}]::{LINKS} AS _links"
        for place, (row, (phone, tags)) in enumerate(rows.items())
    )
    engine.write_parquet(listed, folder / "rows.parquet")
    send = SendTable("00_contact", TABLE, "people", "rows.parquet", len(rows), "", (PHONE,), (), has_links=True)
    return Side(Plan(1, "full", "", "", "", "", "", "", {}, "", (), (send,), ("people",), {}, ""), folder)


def _tag(number: int) -> str:
    return f"{{'relationship': 'tagged', 'table': 'tag', 'id': UUID '{UUID(int=100 + number)}'}}"


def changes(engine: Engine, folder: Path, wanted: Side, *standing: Side) -> dict[UUID, list[str]]:
    target = folder / "changes.parquet"
    write_changes(engine, TABLE, wanted, standing, target, NOBODY)
    return {UUID(str(row)): names for row, names in engine.rows(f"SELECT * FROM {read_parquet(target)}")}


def test_a_cell_that_a_stopped_load_may_have_written_is_changed_back_when_the_source_says_the_old_value_again(
    engine: Engine, tmp_path: Path
) -> None:
    state = side(engine, tmp_path / "state", {ONE: ("S0", []), TWO: ("S0", [])})
    attempt = side(engine, tmp_path / "attempt", {ONE: ("S1", []), TWO: ("S0", [])})
    wanted = side(engine, tmp_path / "wanted", {ONE: ("S0", []), TWO: ("S0", [])})
    assert changes(engine, tmp_path, wanted, state, attempt) == {ONE: ["telephone1"]}


@pytest.mark.parametrize(
    ("was", "tried", "now", "made", "taken"),
    [
        ([], [1], [1], {101}, set()),  # tried, perhaps never sent
        ([1], [], [1], {101}, set()),  # perhaps taken away already
        ([], [1], [], set(), {101}),
        ([1], [1], [1, 2], {102}, set()),
        ([1], [1, 2], [3], {103}, {101, 102}),
    ],
)
def test_links_of_which_a_stopped_load_leaves_a_doubt_are_made_and_taken_away_again(
    engine: Engine, tmp_path: Path, was: list[int], tried: list[int], now: list[int], made: set[int], taken: set[int]
) -> None:
    standing = [side(engine, tmp_path / n, {ONE: ("S", tags)}) for n, tags in (("state", was), ("attempt", tried))]
    wanted = side(engine, tmp_path / "wanted", {ONE: ("S", now)})
    assert changes(engine, tmp_path, wanted, *standing) == {ONE: ["(links)"]}
    decided = tmp_path / "decided.parquet"
    lists = "['(links)'] AS write, []::VARCHAR[] AS conflict, []::VARCHAR[] AS edited, []::VARCHAR[] AS fixed"
    engine.write_parquet(f"SELECT UUID '{ONE}' AS \"row\", 1::BIGINT AS version, FALSE AS is_gone, {lists}", decided)
    engine.run('CREATE TEMP TABLE left_rows ("table" VARCHAR, send VARCHAR, "row" UUID, why VARCHAR, beside BOOLEAN)')
    there = {TABLE: f"SELECT UUID '{ONE}' AS \"row\""}
    live = {TABLE: load_catalogue().tables[TABLE]}
    inputs = DeltaInputs(wanted, standing, there, {TABLE: decided}, live, Policies({}, {}), (), ())
    plan = delta_plan(engine, inputs, tmp_path / "plan")
    sent = {step.kind: _linked(engine, tmp_path / "plan" / plan.send_table(step.send).parquet) for step in plan.steps}
    assert sent == {kind: ids for kind, ids in (("associate", made), ("disassociate", taken)) if ids}


def _linked(engine: Engine, path: Path) -> set[int]:
    rows = engine.rows(f"SELECT CAST(unnest(_links).id AS VARCHAR) FROM {read_parquet(path)}")
    return {UUID(str(row)).int for (row,) in rows}


def test_what_was_said_of_a_row_that_is_made_anew_is_forgotten(engine: Engine, tmp_path: Path) -> None:
    earlier, decided, target = (tmp_path / f"{name}.parquet" for name in ("earlier", "decided", "kept"))
    said = [
        f"SELECT 'contact' AS \"table\", UUID '{row}' AS \"row\", '(row)' AS \"column\", 'gone' AS why"
        for row in (ONE, TWO)
    ]
    engine.write_parquet(" UNION ALL ".join(said), earlier)
    lists = "[]::VARCHAR[] AS conflict, []::VARCHAR[] AS edited, []::VARCHAR[] AS fixed, FALSE AS is_gone"
    engine.write_parquet(f'SELECT * FROM (SELECT NULL::UUID AS "row", {lists}) WHERE FALSE', decided)
    write_kept(engine, TABLE, decided, earlier, f"SELECT UUID '{TWO}' AS \"row\"", target)
    assert [UUID(str(row)) for (row,) in engine.rows(f'SELECT "row" FROM {read_parquet(target)}')] == [TWO]
