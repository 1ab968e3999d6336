"""`flitstack run`: every step up to the first closed gate."""

from collections.abc import Callable

from flitstack.app.emulators import is_emulator
from flitstack.app.gates import GATES, approve, require
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result, worst_exit
from flitstack.app.steps.dedupe import dedupe
from flitstack.app.steps.load import load
from flitstack.app.steps.map import map_
from flitstack.app.steps.plan import plan
from flitstack.app.steps.profile import profile
from flitstack.app.steps.reconcile import reconcile
from flitstack.app.steps.report import report
from flitstack.app.steps.stage import stage
from flitstack.app.subjects import approvals_file, current_gates, current_subjects
from flitstack.errors import Problem, UsageError

# Each step and the gates that must be open once it is done.
Step = Callable[[Project, Progress], Result]


def run(project: Project, progress: Progress, *, rehearse: bool = False) -> Result:
    """Go as far as the gates allow. Raises GateClosed at the first closed one (exit code 4).

    `rehearse` opens each gate by itself; raises UsageError unless the destination is an emulator.
    """
    results = _walk(project, progress, rehearse=rehearse)
    report(project, progress)
    document = {name: result.document for name, result in results.items()}
    lines = tuple(line for result in results.values() for line in result.lines)
    return Result(
        document, lines, worst_exit(*(result.exit_code for result in results.values())), next="flitstack status"
    )


def rehearse(project: Project, progress: Progress, *, last: str) -> dict[str, Result]:
    """The steps of a rehearsal up to the one called `last`, whose gate stays shut; their results by name."""
    return _walk(project, progress, rehearse=True, last=last)


def _walk(project: Project, progress: Progress, *, rehearse: bool, last: str = "") -> dict[str, Result]:
    if rehearse:
        refuse_unless_emulator(project)
    results: dict[str, Result] = {}
    for name, step, gate in _steps(rehearse=rehearse):
        results[name] = step(project, progress)
        project = project.reopened()  # staging may have found objects that the pack does not know
        if name == last:
            break
        _open_or_stop(project, gate, rehearse=rehearse)
    return results


def refuse_unless_emulator(project: Project) -> None:
    """Gates open by themselves only where no real data can be touched."""
    if not is_emulator(project.target.url):
        raise UsageError(
            Problem(
                "not-an-emulator",
                "run --rehearse opens every gate by itself and therefore works only against an emulator",
                where=project.target.url,
                do="start one with `flitstack emulator serve`, or take the steps one by one",
            )
        )


def _steps(*, rehearse: bool) -> tuple[tuple[str, Step, str], ...]:
    def mapped(project: Project, progress: Progress) -> Result:
        return map_(project, progress, confirm=["all"] if rehearse else [])

    def sampled(project: Project, progress: Progress) -> Result:
        return load(project, progress, only_sample=True)

    return (
        ("stage", stage, "export"),
        ("profile", profile, "export"),
        ("dedupe", dedupe, "quality"),
        ("map", mapped, "map"),
        ("plan", plan, "owners"),
        ("sample", sampled, "load"),
        ("load", load, "load"),
        ("reconcile", reconcile, "load"),
    )


def _open_or_stop(project: Project, gate: str, *, rehearse: bool) -> None:
    """Rehearsing: approve every gate up to this one that is not open. Otherwise: stop at the first that is shut."""
    if rehearse:
        for name in GATES[: GATES.index(gate) + 1]:
            state = current_gates(project)[name]
            if state.state not in {"open", "not asked"}:
                subject = current_subjects(project).get(name)
                approve(
                    approvals_file(project), project.environment, name, subject, "rehearsal", "opened by run --rehearse"
                )
    require(current_gates(project), before=gate)
