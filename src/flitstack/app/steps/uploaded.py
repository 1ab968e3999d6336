"""`flitstack uploaded DIR`: whether the files of the copy plan lie in the library, byte for byte.

DIR is the library's synced or downloaded copy: records leave this machine for the destination alone, and SharePoint is none.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.sharepoint import MANIFEST
from flitstack.documents import file_sha256
from flitstack.errors import Problem, UsageError
from flitstack.reporting.workbook import guarded

# SharePoint writes a library's properties into such documents when they are uploaded, so their bytes are no proof.
# Source: Microsoft Learn, "Document property promotion and demotion".
_REWRITTEN = frozenset(
    (".docx", ".docm", ".dotx", ".dotm", ".xlsx", ".xlsm", ".xltx", ".pptx", ".pptm", ".potx", ".ppsx")
)
SAME, REWRITTEN, CHANGED, MISSING = "same", "rewritten", "changed", "missing"
_SAID = {
    MISSING: ("are not there", "upload them from sharepoint/files, and look again"),
    CHANGED: ("are there with other bytes", "upload them again, or ask who changed them since"),
    REWRITTEN: (
        "are Office documents whose bytes changed, as SharePoint does on upload",
        "open some and compare them with sharepoint/files",
    ),
}
_EXAMPLES = 3


def uploaded(project: Project, library: Path, progress: Progress) -> Result:
    """Compare; writes reports/uploaded.csv. Raises UsageError without a copy plan or without the folder."""
    manifest = project.folder / "sharepoint" / MANIFEST
    if not manifest.exists():
        do = "decide attachments: sharepoint in decisions.yaml, then run: flitstack plan"
        raise UsageError(Problem("no-copy-plan", f"there is no {manifest}: no file goes to SharePoint", do=do))
    if not library.is_dir():
        do = "name the folder in which the library is synced, or was unpacked"
        raise UsageError(Problem("not-a-folder", f"{library} is no folder", do=do))
    progress.phase("comparing files")
    report = project.reports / "uploaded.csv"
    report.parent.mkdir(exist_ok=True)
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    with report.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("target", "state", "object", "record"))
        for row, state in _compared(manifest, library):
            counts[state] += 1
            progress.advance(1)
            if state != SAME:
                writer.writerow((guarded(row["target"]), state, row["object"], row["record"]))
                examples.setdefault(state, [])
                if len(examples[state]) < _EXAMPLES:
                    examples[state].append(row["target"])
    lines = [f"{counts[SAME]:,} of {counts.total():,} files lie in {library}, byte for byte"]
    for state, (said, do) in _SAID.items():
        if counts[state]:
            lines.append(f"{counts[state]:,} {said}, such as {'; '.join(examples[state])}: {do}")
    if counts[SAME] < counts.total():
        lines.append(f"each is listed in {report}")
    document = {"files": counts.total(), **{state: counts[state] for state in (SAME, *_SAID)}, "report": str(report)}
    return Result(document, tuple(lines), _exit_code(counts))


def _compared(manifest: Path, library: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Each row of the manifest with the state of its file, one after the other: there may be a million."""
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row, _state(library / row["target"], row)


def _state(path: Path, row: dict[str, str]) -> str:
    if not path.is_file():
        return MISSING
    if path.stat().st_size == int(row["size"]) and file_sha256(path) == row["sha256"]:
        return SAME
    return REWRITTEN if path.suffix.casefold() in _REWRITTEN else CHANGED


def _exit_code(counts: Counter[str]) -> int:
    if counts[MISSING] or counts[CHANGED]:
        return EXIT_DIFFERENCES
    return EXIT_REJECTS if counts[REWRITTEN] else EXIT_DONE
