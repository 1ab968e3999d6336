"""Large clean CSV files go through the engine's own reader: set-wise, without a Python object a record.

It is taken only when it provably gives the same as `delimited.py`: UTF-8, no malformed record, and the physical lines of
all records add up to those of the file. Otherwise it says no and the careful reader does the work.
"""

from pathlib import Path

import duckdb

from flitstack.staging.dialect import Dialect
from flitstack.staging.engine.engine import Engine, literal, quoted

MIN_BYTES = 4 << 20
ENCODINGS = frozenset(("utf-8", "utf-8-sig"))


def stage_fast(engine: Engine, path: Path, dialect: Dialect, header: list[str], target: Path) -> int | None:
    """Write `target` (columns `_record`, `_line` and the header's names); number of records, or None when it cannot.

    Blank lines are skipped by both readers. A record's physical lines are one more than the newlines inside its fields.
    """
    if path.stat().st_size < MIN_BYTES or dialect.encoding not in ENCODINGS:
        return None
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    reading = (
        f"read_csv({literal(str(path))}, delim = {literal(dialect.delimiter)}, quote = '\"', escape = '\"', header = true, "
        f"columns = {{{names}}}, auto_detect = false, strict_mode = true, ignore_errors = false, null_padding = false, "
        # No `new_line`: with strict mode and CRLF the engine's reader then gives no record at all (DuckDB 2.0).
        "parallel = true, max_line_size = 67108864)"
    )
    texts = " || ".join(f"coalesce({quoted(name)}, '')" for name in header)
    breaks = f"length({texts}) - length(replace({texts}, chr(10), ''))"
    columns = ", ".join(f"nullif({quoted(name)}, '') AS {quoted(name)}" for name in header)
    try:
        records = engine.write_parquet(
            f"""
            SELECT row_number() OVER () AS _record,
                   2 + coalesce(sum(1 + breaks) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS _line,
                   * EXCLUDE (breaks)
            FROM (SELECT {columns}, {breaks} AS breaks FROM {reading})
            """,
            target,
        )
    except duckdb.Error:
        # Something in the file is malformed: the careful reader names it, record by record.
        return None
    if _lines_taken(engine, target, header) != _physical_lines(path):
        target.unlink()
        return None
    return records


def _lines_taken(engine: Engine, target: Path, header: list[str]) -> int:
    texts = " || ".join(f"coalesce({quoted(name)}, '')" for name in header)
    row = engine.one(
        f"SELECT coalesce(max(_line), 1), coalesce(arg_max(length({texts}) - length(replace({texts}, chr(10), '')), _line), 0) "
        f"FROM read_parquet({literal(str(target))})"
    )
    return int(row[0]) + int(row[1])


def _physical_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")
