"""What a person decided about merges: pairs to keep apart, pairs to merge. Every merge is undone by a pair kept apart.

`merges.yaml` in the project keeps the decisions as text that can be diffed:

    keep_apart:
      - {object: Contact, records: [per_000002, per_000001], by: ana, why: two people share the mailbox}
    merge:
      - {object: Company, records: [cmp_000039, cmp_000001], by: ana}

A person decides there, or in the column `decision` of reports/merges.xlsx (or .csv), which is read back with
`read_review`: `keep apart` on a merge undoes it, on a pair that only looks alike settles it; `merge` makes such a pair one.
The sheet is written anew by every run, so decisions read from it go to `merges.yaml` first (`add_decisions`).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from flitstack.documents import edit_yaml, read_yaml, write_yaml
from flitstack.errors import Problem, UsageError


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records of one object, by source id; the order says nothing."""

    object: str
    a: str
    b: str

    def sorted(self) -> "Pair":
        """The same pair in the order of its ids."""
        return self if self.a <= self.b else Pair(self.object, self.b, self.a)


@dataclass(frozen=True, slots=True)
class MergeDecisions:
    """Signed decisions. A pair that stands in both lists is kept apart."""

    keep_apart: frozenset[Pair] = frozenset()
    merge: frozenset[Pair] = frozenset()


def read_decisions(path: Path) -> MergeDecisions:
    """`merges.yaml`, or no decisions when there is no such file. Raises UsageError naming every wrong entry."""
    if not path.exists():
        return MergeDecisions()
    data, lines = read_yaml(path)
    problems: list[Problem] = []
    found = {
        part: frozenset(_pairs(data.get(part) or (), part, path, lines, problems)) for part in ("keep_apart", "merge")
    }
    if problems:
        raise UsageError(*problems)
    return MergeDecisions(found["keep_apart"], found["merge"])


def add_decisions(path: Path, decided: MergeDecisions, by: str, why: str = "") -> int:
    """Write new decisions into `merges.yaml`, keeping what stands there; returns how many are new."""
    data: dict[str, Any] = edit_yaml(path) if path.exists() else {"format": 1}
    before = read_decisions(path)
    added = 0
    for part, other, pairs in (("keep_apart", "merge", decided.keep_apart), ("merge", "keep_apart", decided.merge)):
        for pair in sorted(pairs, key=lambda one: (one.object, one.a, one.b)):
            if pair.sorted() in (before.keep_apart if part == "keep_apart" else before.merge):
                continue
            data[other] = [entry for entry in data.get(other) or [] if _pair(entry).sorted() != pair.sorted()]
            entry = {"object": pair.object, "records": [pair.a, pair.b], "by": by, **({"why": why} if why else {})}
            data[part] = [*(data.get(part) or []), entry]
            added += 1
    if added:
        write_yaml(path, data)
    return added


def read_review(path: Path) -> MergeDecisions:
    """Decisions a person wrote into reports/merges.xlsx or .csv. Raises UsageError naming every cell it cannot read."""
    problems: list[Problem] = []
    decided: dict[str, set[Pair]] = {"keep_apart": set(), "merge": set()}
    for number, row in enumerate(sheet_rows(path), start=2):
        word = row.get("decision", "").strip().casefold().replace("_", " ")
        if not word or (word == "merge" and row.get("kind") == "merged"):
            continue
        if word not in {"merge", "keep apart"}:
            problems.append(
                Problem(
                    "merge-decision",
                    f"{row['decision']!r} is no decision",
                    where=f"{path.name}, row {number}",
                    known="keep apart, merge, or empty",
                    do="write one of them",
                )
            )
            continue
        pair = Pair(row["object"], row["record"], row["other"]).sorted()
        decided["merge" if word == "merge" else "keep_apart"].add(pair)
    if problems:
        raise UsageError(*problems)
    return MergeDecisions(frozenset(decided["keep_apart"]), frozenset(decided["merge"]))


def sheet_rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a list that was written for review (.xlsx or .csv), cells as text by heading."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from ({k: _unguarded(v or "") for k, v in row.items() if k} for row in csv.DictReader(file))
        return
    cells = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    names = [str(cell).strip() for cell in cells[0]] if cells else []
    for row in cells[1:]:
        yield {name: _unguarded(_text(cell)) for name, cell in zip(names, row, strict=False)}


def _text(cell: Any) -> str:
    """A cell as text: Excel hands whole numbers back as floats, an id must not grow a `.0`."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _unguarded(text: str) -> str:
    """Without the apostrophe that keeps spreadsheets from running a value as a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in set("=+-@\t\r") else text


def _pairs(
    entries: Sequence[Any], part: str, path: Path, lines: Mapping[tuple[str, ...], int], problems: list[Problem]
) -> Iterable[Pair]:
    for index, entry in enumerate(entries):
        try:
            yield _pair(entry).sorted()
        except (KeyError, TypeError, ValueError):
            line = lines.get((part, str(index)), 1)
            problems.append(
                Problem(
                    "merge-decision",
                    f"{part} needs an object and two records",
                    where=f"{path.name}:{line}",
                    do="write {object: Contact, records: [one id, other id]}",
                )
            )


def _pair(entry: Mapping[str, Any]) -> Pair:
    a, b = entry["records"]
    return Pair(str(entry["object"]), str(a), str(b))
