"""A delta killed before or after any write, and at every journal boundary, ends as one that was not; the oldest image survives."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from crash.test_crash import Fuse, Guillotine, Killed
from loading.loading_case import WON, Case, make_case, row, shared_engine

from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import SendColumn, SendTable, Step


def delta_case(folder: Path) -> Case:
    """A loaded case whose plan is now a delta: contacts get another name, open deals are won, won ones opened."""
    case = make_case(folder)
    case.options = SendOptions(batch_rows=20, server_limit_s=0.0, in_flight=2)
    case.memory = Guillotine(case.memory_catalogue)
    case.memory.fuse = Fuse(1_000_000)
    case.load()
    engine = shared_engine()
    engine.write_parquet(
        f"SELECT * EXCLUDE (lastname), 'changed ' || _record AS lastname, ['lastname'] AS _changed, NULL::BIGINT AS _version "
        f"FROM read_parquet('{folder / 'contact.parquet'}') WHERE _ord % 2 = 0",
        folder / "contact_update.parquet",
    )
    deals = f"read_parquet('{folder / 'opportunity.parquet'}')"
    state = "'state' AS _action, 0::BIGINT AS _state, 1::BIGINT AS _status"
    won = f"'win' AS _action, 1::BIGINT AS _state, {WON}::BIGINT AS _status"
    engine.write_parquet(f"SELECT * REPLACE ({state}) FROM {deals} WHERE _ord % 3 = 0", folder / "reopen.parquet")
    engine.write_parquet(f"SELECT * REPLACE ({won}) FROM {deals} WHERE _ord % 3 = 2", folder / "win.parquet")
    tables = (
        _send("contact_update", "contact", 25, columns=(SendColumn("lastname", "String", "lastname", "lastname"),)),
        _send("reopen", "opportunity", 4, has_states=True),
        _send("win", "opportunity", 4, has_states=True),
    )
    kinds = ("update", "state", "state")
    steps = tuple(
        Step(place, kind, "changes", send.table, kind, send.name, send.rows)
        for place, (kind, send) in enumerate(zip(kinds, tables, strict=True))
    )
    case.plan = replace(case.plan, kind="delta", tables=tables, steps=steps, phases=(), sha256="plan-2")
    return case


def _send(name: str, table: str, rows: int, **traits: object) -> SendTable:
    plain: dict[str, object] = {"columns": (), "is_change": True} | traits
    return SendTable(name, table, "changes", f"{name}.parquet", rows, "", objects=(table,), **plain)  # type: ignore[arg-type]


def oldest_names(case: Case) -> dict[str, str]:
    """What the journal says each contact was called before this plan first touched it."""
    found: dict[str, str] = {}
    with Journal(case.folder / "journal", "ana", write=False) as journal:
        for intent, lines in journal.before_images():
            if intent.operation is Operation.UPDATE:
                for line in map(orjson.loads, lines.splitlines()):
                    found.setdefault(line["_row"], line["lastname"])
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, dict[str, str], int, int]:
    """What an undisturbed delta leaves, its images, and how many boundaries and moments of a write it has."""
    case = delta_case(tmp_path_factory.mktemp("whole"))
    boundaries, writes = Fuse(1_000_000), Fuse(1_000_000)
    case.memory.fuse = writes  # type: ignore[attr-defined]
    case.load(hook=boundaries)
    return case.stored(), oldest_names(case), boundaries.burnt, writes.burnt


def test_a_delta_changes_what_it_says_and_keeps_what_was_there(whole: tuple[object, dict[str, str], int, int]) -> None:
    _, names, _, _ = whole
    assert names == {str(row("contact", n)): f"contact {n}" for n in range(0, 50, 2)}


def test_running_a_finished_delta_again_sends_nothing(tmp_path: Path) -> None:
    case = delta_case(tmp_path)
    case.load()
    stored = case.stored()
    assert case.load().requests == 0
    assert case.stored() == stored


@pytest.mark.parametrize("where", ["write", "boundary"])
def test_a_killed_delta_goes_on_as_if_it_had_not_been(
    tmp_path: Path, whole: tuple[object, dict[str, str], int, int], where: str
) -> None:
    stored, names, boundaries, writes = whole
    for place in range(writes if where == "write" else boundaries):
        case = delta_case(tmp_path / str(place))
        if where == "write":
            case.memory.fuse = Fuse(place)  # type: ignore[attr-defined]
        try:
            case.load(hook=Fuse(place) if where == "boundary" else None)
        except Killed:
            case.memory.fuse = Fuse(1_000_000)  # type: ignore[attr-defined]
        case.load()
        assert case.stored() == stored, f"killed at {where} {place}"
        assert oldest_names(case) == names, f"killed at {where} {place}"
