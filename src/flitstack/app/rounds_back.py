"""The way back from the last delta to the round before it."""

from dataclasses import replace

from flitstack.app.gates import now
from flitstack.app.project import Project
from flitstack.app.promote import kept_file
from flitstack.app.rounds import State, load_loaded, open_state, save_loaded, state_folder
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.reconciling.reconcile import reconcile
from flitstack.reconciling.tables import Landed, Place
from flitstack.staging.engine.engine import Engine


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
    return [int(note["run"]) for note in journal.notes("run") if note["plan"] == plan]


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
    project: Project, destination: Destination, engine: Engine, journal: Journal
) -> dict[str, dict[str, int]]:
    """Read everything back that the round before left, and compare every cell; what Dynamics keeps as its own does not count."""
    before = state_before(project)
    if before is None:
        return {}
    scratch = project.env_state / "rollback" / "readback"
    scratch.mkdir(parents=True, exist_ok=True)
    place = Place(before.folder, scratch, kept=kept_file(before))
    document, _ = await reconcile(before.whole, destination, engine, Landed.of(journal), place, at=now())
    return {
        f"{table.table} ({table.phase})": {
            "rows": table.landed,
            "gone": table.missing,
            "changed": table.differences - table.missing,
        }
        for table in document.tables
    }
