"""What a person decided about records that were found to be rows of the environment: `keep apart` makes a row of their own.

`matches.yaml` in the project keeps it as text that can be diffed:

    format: 1
    keep_apart:
      - {object: Contact, record: per_000002, by: ana, why: a namesake}

A person decides there, or in the column `decision` of reports/matches.xlsx or .csv. Both are written anew by every
plan, so decisions read from them go to `matches.yaml` first.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flitstack.deduping.review import sheet_rows
from flitstack.documents import edit_yaml, read_yaml, write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.planning.document import KEEP_APART
from flitstack.staging.engine.engine import Engine, literal, read_parquet

_KEYS = frozenset({"format", "keep_apart"})

Apart = frozenset[tuple[str, str]]  # (object, source id)


def read_apart(path: Path) -> dict[tuple[str, str], int]:
    """`matches.yaml`: (object, source id) with its line; empty when there is no such file. Raises UsageError naming every
    wrong entry."""
    if not path.exists():
        return {}
    data, lines = read_yaml(path)
    found: dict[tuple[str, str], int] = {}
    problems = []
    for name in sorted(data.keys() - _KEYS):
        where = f"{path.name}:{lines.get((name,), 1)}"
        problems.append(
            Problem(
                "match-decision",
                f"{name!r} is nothing that is read here",
                where=where,
                known=", ".join(sorted(_KEYS)),
                do="write keep_apart",
            )
        )
    entries = data.get("keep_apart") or []
    if not isinstance(entries, list):
        where = f"{path.name}:{lines.get(('keep_apart',), 1)}"
        do = "write one line a record: - {object: Contact, record: its id}"
        problems.append(Problem("match-decision", "keep_apart is a list", where=where, do=do))
        entries = []
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("object") and entry.get("record") is not None:
            line = lines.get(("keep_apart", str(index)), 1)
            found[(str(entry["object"]), str(entry["record"]))] = line
            continue
        where = f"{path.name}:{lines.get(('keep_apart', str(index)), 1)}"
        do = "write {object: Contact, record: its id}"
        problems.append(Problem("match-decision", "keep_apart needs an object and a record", where=where, do=do))
    if problems:
        raise UsageError(*problems)
    return found


def check_apart(
    engine: Engine, path: Path, entries: Mapping[tuple[str, str], int], staged: Mapping[str, Path], survivors: Path
) -> None:
    """Raise UsageError naming every entry of an object or a record that the export does not hold, and of one that was merged.

    `staged`: object -> its records (Parquet with `_id`); `survivors`: of deduping.
    """
    problems = []
    for object_name in sorted({name for name, _ in entries}):
        mine = {record: line for (name, record), line in entries.items() if name == object_name}
        if object_name not in staged:
            known = ", ".join(sorted(staged))
            what = f"keep apart: the export holds no object {object_name!r}"
            problems.append(
                Problem(
                    "match-decision",
                    what,
                    where=f"{path.name}:{min(mine.values())}",
                    known=known,
                    do="name one of these",
                )
            )
            continue
        asked = ", ".join(f"({literal(record)})" for record in mine)
        there = engine.rows(
            f"SELECT DISTINCT _id FROM {read_parquet(staged[object_name])} WHERE _id IN (SELECT * FROM (VALUES {asked}))"
        )
        merged = engine.rows(
            f"SELECT loser_id, any_value(survivor_id) FROM {read_parquet(survivors)} "
            f"WHERE object = {literal(object_name)} AND loser_id IN (SELECT * FROM (VALUES {asked})) GROUP BY 1"
        )
        into = {str(loser): str(survivor) for loser, survivor in merged}
        present = {str(record) for (record,) in there}
        for record, line in mine.items():
            if record not in present:
                what, do = (
                    f"keep apart: {object_name} has no record {record!r}",
                    "correct the id, or take the entry out",
                )
            elif record in into:
                what = f"keep apart: {object_name} {record} was merged into {into[record]}"
                do = f"name record: {into[record]}, or undo the merge"
            else:
                continue
            problems.append(Problem("match-decision", what, where=f"{path.name}:{line}", do=do))
    if problems:
        raise UsageError(*problems)


def read_sheet(path: Path) -> Apart:
    """Decisions written into reports/matches.xlsx or .csv. Raises UsageError naming every cell that cannot be read."""
    found, problems = set(), []
    do = "take the file away and run: flitstack plan (it is written anew), then decide there or in matches.yaml"
    rows = sheet_rows(path, ("object", "record", "decision"), "match-decision", do)
    for number, row in enumerate(rows, start=2):
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
    new = sorted(set(decided) - known.keys())
    if new:
        data: dict[str, Any] = edit_yaml(path) if path.exists() else {"format": 1}
        entries = [{"object": object_name, "record": record, "by": by} for object_name, record in new]
        if not data.get("keep_apart"):
            data["keep_apart"] = []
        data["keep_apart"].extend(entries)  # in place: what stands there keeps its comments
        write_yaml(path, data)
    return len(new)
