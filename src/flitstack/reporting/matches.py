"""Records that are rows of the environment already, for sign-off: reports/matches.xlsx and .csv."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flitstack.planning.document import KEEP_APART, MATCH_COLUMNS, SendTable
from flitstack.reporting.workbook import Cell, Column, open_workbook, write_csv
from flitstack.staging.engine.engine import Engine, literal, read_parquet

_WIDTHS = {
    "object": 14, "record": 22, "table": 16, "row": 38, "known by": 34, "filled": 44, "left as in Dynamics": 44, "decision": 14,
}  # fmt: skip
_BATCH = 10_000


def write_matches(
    engine: Engine, sends: Sequence[SendTable], folder: Path, matched: Mapping[str, Path], looked: Path, path: Path
) -> Path:
    """One line for every record found in the environment, to `path` (.xlsx) and the .csv beside it.

    `folder`: the plan's; `matched`: by table, Parquet of planning.matching.match_rows; `looked`: where `<send>.same.parquet`
    lies. Columns are named, values are not shown: the list may leave the house.
    """
    columns = [Column(name, _WIDTHS[name], (KEEP_APART,) if name == "decision" else ()) for name in MATCH_COLUMNS]
    with open_workbook(path, properties={"title": "Records that are in Dynamics already"}) as book:
        book.sheet("Matches", columns, _rows(engine, sends, folder, matched, looked))
    write_csv(path.with_suffix(".csv"), MATCH_COLUMNS, _rows(engine, sends, folder, matched, looked))
    return path


def _rows(
    engine: Engine, sends: Sequence[SendTable], folder: Path, matched: Mapping[str, Path], looked: Path
) -> Iterator[list[Cell]]:
    for send in sends:
        filled = ", ".join(
            f'CASE WHEN e."{column.name}" IS NOT NULL THEN {literal(column.name)} END'
            for column in send.columns
            if column.read_back == column.name
        )
        select = f"""SELECT m.object, m.record, {literal(send.table)}, CAST(m."row" AS VARCHAR), m.rule,
            array_to_string(e._changed, ', '),
            array_to_string(list_filter([{filled}]::VARCHAR[], lambda x: x IS NOT NULL AND NOT list_contains(e._changed, x)
                AND list_contains(s.compared, x) AND NOT list_contains(s.same, x)), ', '), ''
            FROM {read_parquet(folder / send.parquet)} e
            JOIN {read_parquet(matched[send.table])} m ON m."row" = e._row
            LEFT JOIN {read_parquet(looked / f"{send.name}.same.parquet")} s ON s."row" = e._row
            ORDER BY m.object, m.record"""
        for batch in engine.batches(select, _BATCH):
            yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
