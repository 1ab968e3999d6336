"""What a person decided about merges: pairs to keep apart, pairs to merge. Every merge is undone by a pair kept apart.

`merges.yaml` in the project keeps the decisions as text that can be diffed:

    keep_apart:
      - {object: Contact, records: [per_000002, per_000001], by: ana, why: two people share the mailbox}
    merge:
      - {object: Company, records: [cmp_000039, cmp_000001], by: ana}

A person decides there, or in the column `decision` of reports/merges.xlsx or .csv, which are read back with
`read_review`: `keep apart` on a merge undoes it, on a pair that only looks alike settles it; `merge` makes such a pair one.
Both are written anew by every run, so decisions read from them go to `merges.yaml` first (`add_decisions`).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from flitstack.deduping.document import REVIEW_COLUMNS
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


def read_review(*paths: Path) -> MergeDecisions:
    """Decisions a person wrote into reports/merges.xlsx and .csv. Raises UsageError naming every cell it cannot read."""
    problems: list[Problem] = []
    decided: dict[Pair, tuple[str, str]] = {}  # pair -> word, where it stands
    do = "take the file away and run: flitstack dedupe (it is written anew), then decide there or in merges.yaml"
    for path in paths:
        for number, row in enumerate(sheet_rows(path, REVIEW_COLUMNS, "merge-decision", do), start=2):
            word = row.get("decision", "").strip().casefold().replace("_", " ")
            if not word or (word == "merge" and row["kind"] == "merged"):
                continue
            where = f"{path.name}, row {number}"
            if word not in {"merge", "keep apart"}:
                what, known = f"{row['decision']!r} is no decision", "keep apart, merge, or empty"
                problems.append(Problem("merge-decision", what, where=where, known=known, do="write one of them"))
                continue
            pair = Pair(row["object"], row["record"], row["other"]).sorted()
            earlier, place = decided.setdefault(pair, (word, where))
            if earlier != word:
                what = f"{pair.object} {pair.a} and {pair.b}: {word} here, {earlier} in {place}"
                problems.append(Problem("merge-decision", what, where=where, do="decide one way"))
    if problems:
        raise UsageError(*problems)
    found = {
        word: frozenset(pair for pair, (said, _) in decided.items() if said == word) for word in ("keep apart", "merge")
    }
    return MergeDecisions(found["keep apart"], found["merge"])


def sheet_rows(path: Path, needed: Sequence[str], code: str, do: str) -> Iterator[dict[str, str]]:
    """Rows of a list that was written for review (.xlsx or .csv), cells as text by heading; {} is an empty line.

    Spreadsheets write a CSV with the separator of their language. Raises UsageError with `code` and `do` for a file that
    is no such list any more, or lacks one of the headings `needed`.
    """
    try:
        lines = _csv_lines(path, needed) if path.suffix == ".csv" else _workbook_lines(path)
        names = [str(cell).strip() for cell in next(lines, [])]
        if missing := [name for name in needed if name not in names]:
            what = f"the column {' and '.join(missing)} is missing in its first line"
            raise UsageError(Problem(code, what, where=path.name, do=do))
        blank = dict.fromkeys(names, "")
        for cells in lines:
            yield (
                blank | {name: _unguarded(_text(cell)) for name, cell in zip(names, cells, strict=False)}
                if cells
                else {}
            )
    except CalamineError as error:
        raise UsageError(Problem(code, f"no workbook: {error}", where=path.name, do=do)) from error
    except csv.Error as error:
        raise UsageError(Problem(code, f"no CSV: {error}", where=path.name, do=do)) from error
    except UnicodeDecodeError as error:
        what, save = "its text is not UTF-8", "save it as CSV UTF-8, or decide in the .xlsx beside it"
        raise UsageError(Problem(code, what, where=path.name, do=save)) from error


def _csv_lines(path: Path, needed: Sequence[str]) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        split = (mark for mark in ",;\t" if {*needed} <= {cell.strip(' "\r\n') for cell in head.split(mark)})
        file.seek(0)
        yield from csv.reader(file, delimiter=next(split, ","), strict=True)


def _workbook_lines(path: Path) -> Iterator[list[Any]]:
    yield from CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()


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
