"""The way back from the last delta to the round before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from flitstack.app.gates import now
from flitstack.app.project import Project
from flitstack.app.promote import kept_file
from flitstack.app.rounds import State, load_loaded, open_state, save_loaded, state_folder
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.reconciling.reconcile import reconcile
from flitstack.reconciling.tables import Landed, Place
from flitstack.staging.engine.engine import Engine, read_parquet

ROLLBACK = "rollback"  # the command, as its runs are noted


@dataclass(frozen=True, slots=True)
class LastRound:
    """The delta that is taken back by itself: the last one that came to its end, or everything that was begun since and stopped.

    `before`: what stands again afterwards; `left`: what it left or meant to leave, the newest first; `runs`: the journal's.
    """

    before: State
    left: tuple[State, ...]
    runs: tuple[int, ...]


def last_round(project: Project, journal: Journal) -> LastRound:
    """Raises UsageError when no delta stands, or the journal cannot tell what it did."""
    loaded = load_loaded(project)
    is_stopped = loaded is not None and bool(loaded.attempts)
    if loaded is None or not (is_stopped or (len(loaded.rounds) > 1 and loaded.rounds[-1].kind == "delta")):
        what = "no delta stands that could be taken back by itself"
        raise UsageError(Problem("no-delta", what, do="run: flitstack rollback (takes back everything)"))
    before = loaded.rounds[-1 if is_stopped else -2].plan
    names = tuple(reversed(loaded.attempts)) if is_stopped else (loaded.state,)
    runs = _runs_since(journal, before, "" if is_stopped else loaded.rounds[-1].plan)
    left = tuple(open_state(state_folder(project, name)) for name in names)
    return LastRound(open_state(state_folder(project, before[:16])), left, runs)


def _runs_since(journal: Journal, before: str, last: str) -> tuple[int, ...]:
    """Numbers of the runs since the plan `before` was loaded, up to those of the plan `last` (all, if it is empty); without what
    was taken back in between. Runs of rollbacks that were stopped are none of it: a row that one of them made again is older."""
    notes = [note for note in journal.state.notes if note["note"] in {"run", "rolled_back", "round_rolled_back"}]
    if last:
        ends = max((at for at, note in enumerate(notes) if note.get("plan") == last), default=-1)
        notes = notes[: ends + 1]
    found, is_known = list[int](), False
    for note in notes:
        if note["note"] != "run" or note["plan"] == before:
            found.clear()
            is_known |= note.get("plan") == before
        elif note["command"] == "journal recover":
            is_known = False
        elif note["command"] != ROLLBACK:
            found.append(int(note["run"]))
    if not is_known:
        what = "the journal was made again after it was lost: it does not say which rows the last delta made or changed"
        do = "run: flitstack rollback (takes back everything that was made), or reconcile and correct what is wrong by a later export"
        raise UsageError(Problem("rounds-unknown", what, where=str(journal.folder), do=do))
    return tuple(found)


def runs_taken_back(journal: Journal, last: LastRound) -> list[int]:
    """The runs whose doing no longer stands once the round is taken back: its own, and those of the rollbacks that took it back."""
    first = min(last.runs, default=journal.state.run + 1)
    undoing = [int(n["run"]) for n in journal.notes("run") if n["command"] == ROLLBACK and int(n["run"]) > first]
    return sorted({*last.runs, *undoing})


def back_to_round_before(project: Project) -> None:
    """The round before the last one stands again; the later export can be planned anew."""
    loaded = load_loaded(project)
    if loaded is None:
        return
    if loaded.attempts:
        save_loaded(project, replace(loaded, attempts=()))
        return
    before = loaded.rounds[-2]
    save_loaded(project, replace(loaded, state=before.plan[:16], snapshot=before.snapshot, rounds=loaded.rounds[:-1]))


async def prove_round(
    project: Project,
    destination: Destination,
    engine: Engine,
    journal: Journal,
    before: State,
    edited: Sequence[Mapping[str, str]],
) -> dict[str, dict[str, int]]:
    """Read everything back that the round `before` left, and compare every cell; what Dynamics keeps as its own does not count,
    nor do cells that keep a later edit (`edited`: table, row, column)."""
    scratch = project.env_state / "rollback" / "readback"
    scratch.mkdir(parents=True, exist_ok=True)
    kept = scratch / "kept.parquet"
    _write_kept(engine, kept_file(before), edited, kept)
    place = Place(before.folder, scratch, kept=kept)
    document, _ = await reconcile(before.whole, destination, engine, Landed.of(journal), place, at=now())
    return {
        f"{table.table} ({table.phase})": {
            "rows": table.landed,
            "gone": table.missing,
            "changed": table.differences - table.missing,
        }
        for table in document.tables
    }


def _write_kept(engine: Engine, earlier: Path | None, edited: Sequence[Mapping[str, str]], target: Path) -> None:
    # States and parties are told by their columns, and compared by a name of their own.
    names = {"statecode": "(state)", "_parties": "(parties)"}
    cells = [(cell["table"], cell["row"], names.get(cell["column"], cell["column"])) for cell in edited]
    columns = [pa.array([cell[place] for cell in cells], pa.string()) for place in range(3)]
    engine.connection.register("edited_cells", pa.table(dict(zip(("t", "r", "c"), columns, strict=True))))
    select = 'SELECT t AS "table", CAST(r AS UUID) AS "row", c AS "column" FROM edited_cells'
    if earlier is not None:
        select += f' UNION ALL SELECT "table", "row", "column" FROM {read_parquet(earlier)}'
    engine.write_parquet(select, target)
    engine.connection.unregister("edited_cells")
