"""The merge list for sign-off: reports/merges.xlsx and .csv, with a column in which a person decides."""

from collections.abc import Iterator
from pathlib import Path

from flitstack.deduping.document import REVIEW_COLUMNS, DedupeDocument
from flitstack.reporting.workbook import Cell, Column, open_workbook, write_csv
from flitstack.staging.engine.engine import Engine, read_parquet

_WIDTHS = {"object": 14, "record": 22, "other": 22, "kind": 10, "why": 44, "decision": 14}
_BATCH = 10_000


def write_merges(engine: Engine, document: DedupeDocument, folder: Path, path: Path) -> Path:
    """Write every merge and every pair that only looks alike to `path` (.xlsx) and to the .csv beside it.

    `folder` is the deduping folder. A row: object, record, other (the survivor, or the record it looks like), kind
    (merged, alike), why, decision (empty). Values of records are not shown: the list may leave the house.
    """
    columns = [
        Column(name, _WIDTHS[name], ("merge", "keep apart") if name == "decision" else ()) for name in REVIEW_COLUMNS
    ]
    with open_workbook(path, properties={"title": "Merges to sign"}) as book:
        book.sheet("Merges", columns, _rows(engine, document, folder))
    write_csv(path.with_suffix(".csv"), REVIEW_COLUMNS, _rows(engine, document, folder))
    return path


def _rows(engine: Engine, document: DedupeDocument, folder: Path) -> Iterator[list[Cell]]:
    survivors, alike = (read_parquet(folder / name) for name in (document.survivors, document.alike))
    listed = (
        "SELECT object, loser_id, survivor_id, 'merged' AS kind, 'same ' || regexp_replace(rule, '^same ', '') AS why,"
        f" '' AS decision FROM {survivors}"
        f" UNION ALL SELECT object, id, other_id, 'alike', what, '' FROM {alike}"
        " ORDER BY object, kind DESC, survivor_id, loser_id"
    )
    for batch in engine.batches(listed, _BATCH):
        yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
