"""`flitstack packs check`: everything that is missing or wrong in a pack's folder, in one go."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flitstack.app.emulators import EmulatorProcess, call
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_FAILED, Progress, Result
from flitstack.app.steps.emulator import read_destination
from flitstack.app.steps.findings import findings
from flitstack.app.steps.new import new
from flitstack.app.steps.run import rehearse
from flitstack.app.store import load_staging
from flitstack.catalogue.read import load_catalogue
from flitstack.deduping.rules import read_rules
from flitstack.errors import FlitError, Problem
from flitstack.mapping.derived import derived_fields
from flitstack.mapping.pack_review import review_routes
from flitstack.packs.checklist import missing_tests, read_checklist
from flitstack.packs.read import find_pack, read_pack
from flitstack.packs.review import bundled_tests, review_example, review_pack
from flitstack.packs.types import Pack
from flitstack.staging.engine.engine import Engine

MEMORY_MB = 128


@dataclass
class Report:
    """`wrong` must be put right; `advice` need not. `example`: what became of the example's records."""

    wrong: list[Problem] = field(default_factory=list)
    advice: list[Problem] = field(default_factory=list)
    example: dict[str, Any] = field(default_factory=dict)

    def blame(self, problems: Iterable[Problem]) -> None:
        """Add what is wrong, each thing once."""
        self.wrong += [problem for problem in dict.fromkeys(problems) if problem not in self.wrong]


def check_pack(name_or_path: str, progress: Progress) -> Result:
    """Exit code 0 when nothing is wrong, advice or not; 1 otherwise."""
    folder = find_pack(name_or_path).resolve()
    report = Report()
    progress.phase("reading")
    pack = _read(folder, report)
    if pack is not None:
        progress.phase("checking routes against the catalogue")
        _check_routes(pack, report)
        report.blame(review_example(pack))
        _check_checklist(pack, report)
        if not report.wrong:
            progress.phase("taking the example to a plan")
            _try_example(pack, progress, report)
    following = "" if report.wrong else f"flitstack demo {name_or_path}"
    return Result(
        _document(folder, report), tuple(_lines(report)), EXIT_FAILED if report.wrong else EXIT_DONE, next=following
    )


def _read(folder: Path, report: Report) -> Pack | None:
    try:
        pack, problems = read_pack(folder)
        report.blame(problems)
        report.blame(review_pack(pack))
        fields = {name: (*source.fields, *derived_fields(pack, name)) for name, source in pack.objects.items()}
        read_rules(pack.playbook.get("dedupe") or {}, fields)
    except FlitError as error:
        report.blame(error.problems)
        return (
            None if any(problem.code in {"yaml-unreadable", "format-unknown"} for problem in error.problems) else pack
        )
    return pack


def _check_routes(pack: Pack, report: Report) -> None:
    with tempfile.TemporaryDirectory() as work, Engine(Path(work) / "scratch", MEMORY_MB) as engine:
        wrong, unplaced = review_routes(pack, load_catalogue().tables, engine, Path(work))
    report.blame(wrong)
    report.advice += unplaced


def _check_checklist(pack: Pack, report: Report) -> None:
    path = pack.folder / "checklist.yaml"
    if not path.exists():
        do = "write checklist.yaml: what the migration must do, how it is done, the test that shows it (docs/adding-a-source.md)"
        report.advice.append(Problem("checklist-missing", "there is no checklist.yaml", where=str(pack.folder), do=do))
        return
    items, problems = read_checklist(path)
    report.blame(problems)
    if root := bundled_tests(pack.folder):
        report.blame(missing_tests(items, root, path))


def _try_example(pack: Pack, progress: Progress, report: Report) -> None:
    """Stage, dedupe, map and plan the example against a throwaway emulator, with the same steps a person takes."""
    with tempfile.TemporaryDirectory(prefix="flitstack-check-") as work:
        folder = Path(work)
        export = folder / "export"
        shutil.copytree(pack.folder / "example", export)
        try:
            with EmulatorProcess(folder / "emulator") as emulator:
                call(emulator.url, "seed", read_destination(export / "destination"))
                scoping = export / "scoping.json"
                new(folder / "project", str(pack.folder), export, url=emulator.url, scoping=scoping, operator="check")
                project = Project.open(folder / "project", "check")
                planned = rehearse(project, progress, last="plan")["plan"]
        except FlitError as error:
            report.blame(error.problems)
            return
        found = findings(project).document
        report.example = {"accounts": planned.document["accounts"], "findings": _counts(found)}
        report.advice += _gaps(pack, project)


def _gaps(pack: Pack, project: Project) -> list[Problem]:
    """Objects the example has no file of, fields it has no column of: nothing shows how they land."""
    staged = load_staging(project)
    tables = staged.tables if staged is not None else {}
    gaps, where = [], f"{pack.folder.name}/example"
    for name in pack.objects:
        if name not in tables:
            what = f"the example holds no file of {name}"
            gaps.append(Problem("example-object", what, where=where, do=f"add {pack.objects[name].files[0]}"))
        elif tables[name].missing:
            what = f"the example's {name} lacks {', '.join(tables[name].missing)}"
            gaps.append(
                Problem(
                    "example-field", what, where=where, do="add the columns, with a value that says what should happen"
                )
            )
    return gaps


def _counts(found: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding["code"]] = counts.get(finding["code"], 0) + 1
    return dict(sorted(counts.items()))


def _document(folder: Path, report: Report) -> dict[str, Any]:
    def plain(problem: Problem) -> dict[str, str]:
        return {name: getattr(problem, name) for name in ("code", "what", "where", "known", "do")}

    return {
        "pack": folder.name,
        "wrong": [plain(problem) for problem in report.wrong],
        "advice": [plain(problem) for problem in report.advice],
        "example": report.example,
    }


def _lines(report: Report) -> list[str]:
    lines = [line for problem in report.wrong for line in problem.render().splitlines()]
    for problem in report.advice:
        lines += problem.render().replace("error[", "advice[", 1).splitlines()
    for name, account in report.example.get("accounts", {}).items():
        told = ", ".join(f"{count} {word}" for word, count in account.items() if count and word != "read")
        lines.append(f"example  {name}: {account['read']} read, {told}")
    if report.example:
        lines.append(f"findings {json.dumps(report.example['findings'])}")
    return [*lines, f"{len(report.wrong)} to put right, {len(report.advice)} to look at"]
