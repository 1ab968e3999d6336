"""The way back from the last delta to the round before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from flitstack.staging.engine.engine import Engine, literal


def require_last(project: Project) -> None:
    """Raise UsageError unless the last thing that happened was a delta that came to its end."""
    loaded = load_loaded(project)
    if loaded is None or len(loaded.rounds) < 2 or loaded.rounds[-1].kind != "delta":
        what = "no delta stands that could be taken back by itself"
        raise UsageError(Problem("no-delta", what, do="run: flitstack rollback (takes back everything)"))
    if loaded.attempts:
        what = "a later delta was begun and did not come to its end"
        raise UsageError(Problem("delta-unfinished", what, do="run: flitstack load, then roll back that round first"))


def last_runs(project: Project, journal: Journal) -> list[int]:
    """Numbers of the journal's runs that made the last round."""
    loaded = load_loaded(project)
    plan = loaded.rounds[-1].plan if loaded else ""
    return journal.runs_of(plan)


def state_before(project: Project) -> State | None:
    """The state that the round before the last one left."""
    loaded = load_loaded(project)
    if loaded is None or len(loaded.rounds) < 2:
        return None
    return open_state(state_folder(project, loaded.rounds[-2].plan[:16]))


def back_to_round_before(project: Project) -> None:
    """The round before the last one stands again; the later export can be planned anew."""
    loaded = load_loaded(project)
    if loaded is not None:
        before = loaded.rounds[-2]
        save_loaded(
            project, replace(loaded, state=before.plan[:16], snapshot=before.snapshot, rounds=loaded.rounds[:-1])
        )


async def prove_round(
    project: Project, destination: Destination, engine: Engine, journal: Journal, edited: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, int]]:
    """Read everything back that the round before left, and compare every cell; what Dynamics keeps as its own does not count,
    nor do cells that keep a later edit (`edited`: table, row, column)."""
    before = state_before(project)
    if before is None:
        return {}
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
        select += f' UNION ALL SELECT "table", "row", "column" FROM read_parquet({literal(str(earlier))})'
    engine.write_parquet(select, target)
    engine.connection.unregister("edited_cells")
