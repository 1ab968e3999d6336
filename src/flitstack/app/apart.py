"""What a person decided about records that were found to be rows of the environment: `keep apart` makes a row of their own.

`matches.yaml` in the project keeps it as text that can be diffed:

    format: 1
    keep_apart:
      - {object: Contact, record: per_000002, by: ana, why: a namesake}

A person decides there, or in the column `decision` of reports/matches.xlsx (or .csv). The sheet is written anew by every
plan, so decisions read from it go to `matches.yaml` first.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flitstack.deduping.review import sheet_rows
from flitstack.documents import read_yaml, write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.planning.document import KEEP_APART

Apart = frozenset[tuple[str, str]]  # (object, source id)


def read_apart(path: Path) -> Apart:
    """`matches.yaml`; empty when there is no such file. Raises UsageError naming every wrong entry."""
    if not path.exists():
        return frozenset()
    data, lines = read_yaml(path)
    found, problems = set(), []
    for index, entry in enumerate(data.get("keep_apart") or ()):
        if isinstance(entry, dict) and entry.get("object") and entry.get("record") is not None:
            found.add((str(entry["object"]), str(entry["record"])))
            continue
        where = f"{path.name}:{lines.get(('keep_apart', str(index)), 1)}"
        do = "write {object: Contact, record: its id}"
        problems.append(Problem("match-decision", "keep_apart needs an object and a record", where=where, do=do))
    if problems:
        raise UsageError(*problems)
    return frozenset(found)


def read_sheet(path: Path) -> Apart:
    """Decisions written into reports/matches.xlsx or .csv. Raises UsageError naming every cell that cannot be read."""
    found, problems = set(), []
    for number, row in enumerate(sheet_rows(path), start=2):
        word = row.get("decision", "").strip().casefold().replace("_", " ")
        if word == KEEP_APART:
            found.add((row["object"], row["record"]))
        elif word:
            where = f"{path.name}, row {number}"
            what = f"{row['decision']!r} is no decision"
            problems.append(
                Problem("match-decision", what, where=where, known=f"{KEEP_APART}, or empty", do="write that")
            )
    if problems:
        raise UsageError(*problems)
    return frozenset(found)


def add_apart(path: Path, decided: Iterable[tuple[str, str]], by: str) -> int:
    """Write new decisions into `matches.yaml`, keeping what stands there; returns how many are new."""
    known = read_apart(path)
    new = sorted(set(decided) - known)
    if new:
        data: dict[str, Any] = read_yaml(path)[0] if path.exists() else {"format": 1}
        entries = [{"object": object_name, "record": record, "by": by} for object_name, record in new]
        data["keep_apart"] = [*(data.get("keep_apart") or []), *entries]
        write_yaml(path, data)
    return len(new)
