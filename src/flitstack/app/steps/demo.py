"""`flitstack demo`: the whole route on a pack's example, against a throwaway emulator, with no question asked."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from flitstack.app.emulators import EmulatorProcess, call
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_FAILED, Progress, Result
from flitstack.app.steps.emulator import read_destination
from flitstack.app.steps.findings import findings
from flitstack.app.steps.new import new
from flitstack.app.steps.report import report
from flitstack.app.steps.rollback import rollback
from flitstack.app.steps.run import run
from flitstack.app.steps.status import status
from flitstack.errors import Problem, UsageError
from flitstack.packs.read import load_pack


def demo(pack_name: str, keep: Path | None, progress: Progress) -> Result:
    """Load, prove, roll back; exit code 0 when nothing differs, every account closes and the state before is proven."""
    example = load_pack(pack_name).folder / "example"
    if not example.is_dir():
        raise UsageError(
            Problem("no-example", f"pack {pack_name} holds no example export", do="choose another: flitstack packs")
        )
    folder = keep or Path(tempfile.mkdtemp(prefix="flitstack-demo-"))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise UsageError(Problem("folder-not-empty", f"{keep} is not empty", do="name a new folder with --keep"))
    started = time.monotonic()
    export = folder / "export"
    shutil.copytree(example, export)
    with EmulatorProcess(folder / "emulator") as emulator:
        call(emulator.url, "seed", read_destination(export / "destination"))
        new(folder / "project", pack_name, export, url=emulator.url, scoping=export / "scoping.json", operator="demo")
        project = Project.open(folder / "project", "demo")
        ran = run(project, progress, rehearse=True)
        state = status(project).document
        found = findings(project).document
        undone = rollback(project, progress, force=False, with_schema=True, dry_run=False)
        report(project, progress)  # once more, with the rollback proof
    document = {
        "seconds": round(time.monotonic() - started, 1),
        "accounts": state["accounts"],
        "tables": state["tables"],
        "findings": _counts(found),
        "reconcile": {name: ran.document["reconcile"][name] for name in ("rows", "cells", "differences")},
        "rollback": {name: undone.document[name] for name in ("reversed", "kept", "failed", "equal")},
        "project": str(folder / "project"),
        "report": str(project.reports / "reconciliation.html"),
    }
    good = (
        document["reconcile"]["differences"] == 0
        and document["rollback"]["equal"]
        and all(account["closes"] for account in state["accounts"].values())
    )
    return Result(document, tuple(_lines(document, found)), EXIT_DONE if good else EXIT_FAILED)


def _counts(found: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding["code"]] = counts.get(finding["code"], 0) + 1
    return dict(sorted(counts.items()))


def _lines(document: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    accounts = document["accounts"]
    totals = {
        key: sum(int(a.get(key, 0)) for a in accounts.values())
        for key in ("read", "created", "merged", "held", "rejected", "excluded")
    }
    lines = [
        f"read      {totals['read']:>6,} records of {len(accounts)} objects",
        f"merged    {totals['merged']:>6,} duplicates into the record that survives",
        f"created   {totals['created']:>6,} records as rows: "
        + ", ".join(f"{n:,} {t}" for t, n in document["tables"].items() if t not in {"note", "file"}),
        f"excluded  {totals['excluded']:>6,} by rule (members are matched to users, stages become a choice)",
        f"held      {totals['held']:>6,} and rejected {totals['rejected']:,}, each with its reason:",
    ]
    for finding in found:
        if finding["outcome"] in {"held", "rejected"}:
            lines.append(
                f"          {finding['code']:<18} {finding['file']}, record {finding['record']}: {finding['what']}"
            )
    checked, undone = document["reconcile"], document["rollback"]
    lines += [
        f"verified  {checked['cells']:>6,} fields of {checked['rows']:,} rows read back, {checked['differences']} differences",
        f"rollback  {undone['reversed']:>6,} rows taken back, {undone['kept']} kept; the destination is "
        + ("exactly as before" if undone["equal"] else "NOT as before"),
        f"report    {document['report']}",
        f"took      {document['seconds']:>6} s",
    ]
    return lines
