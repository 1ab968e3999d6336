"""Large clean CSV files go through the engine's own reader: set-wise, without a Python object a record.

It is taken only when it provably gives the same as `delimited.py`: UTF-8, usual quoting, no malformed, blank or totals
row, and the physical lines of all records add up to those of the file. Otherwise it says no and the careful reader does
the work (tests/staging/test_delimited_fast.py compares both).
"""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from flitstack.staging.dialect import Dialect
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.source import TOTALS

MIN_BYTES = 4 << 20
ENCODINGS = frozenset(("utf-8", "utf-8-sig"))
# Longer lines are the careful reader's.
MAX_LINE_BYTES = 1 << 20
# Left to itself the engine's reader takes buffers of sixteen such lines, whatever its memory limit. Smaller ones mean fewer page
# faults, but where its threads read side by side it keeps some until the limit is reached: at 2 MiB every eighth (then 10,000,000
# rows took 1.6 times the CPU), at 8 MiB none that could be seen.
BUFFER_BYTES = 8 * MAX_LINE_BYTES
# What Python's strip() takes off; and what `is_totals_row` may take for the first cell of a totals row.
_BLANKS = r"[\s\p{Z}\x{0B}\x{1C}-\x{1F}\x{85}]*"
_TOTALS = f"(?i){_BLANKS}(?:{'|'.join(TOTALS)}):*{_BLANKS}"


def stage_fast(
    engine: Engine, path: Path, dialect: Dialect, width: int, places: Sequence[int], target: Path
) -> int | None:
    """Write `target` (`_record`, `_line` and `c<place>` for the 0-based places); number of records, or None if it cannot.

    `width` is the number of columns in the header, which is the file's first line.
    """
    if dialect.encoding not in ENCODINGS or not dialect.is_usual or width < 2:
        return None
    lines = _physical_lines(path, dialect.delimiter)
    if lines is None or _begins_blank(path, dialect.delimiter):
        return None
    try:
        records = engine.write_parquet(_select(path, dialect, width, places), target)
    except duckdb.Error:
        # Something in the file is malformed, or does not fit the engine's memory: the careful reader names it record by
        # record, in bounded memory.
        return None
    source = read_parquet(target)
    last, suspect = engine.one(f"SELECT coalesce(max(_last), 1), coalesce(bool_or(_suspect), FALSE) FROM {source}")
    if last != lines or suspect:
        target.unlink()
        return None
    return records


def _select(path: Path, dialect: Dialect, width: int, places: Sequence[int]) -> str:
    """The records with `_last`, the physical line each one ends on, and `_suspect`: blank, or perhaps a totals row."""
    names = [f"c{place}" for place in range(width)]
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    first = f"coalesce({', '.join(names)})"
    suspect = f"{_BLANKS}|{_TOTALS}"
    return f"""
        SELECT row_number() OVER () AS _record, 1 + _ends - _breaks AS _line, 1 + _ends AS _last, _suspect,
               {", ".join(f"c{place}" for place in places)}
        FROM (SELECT *, sum(1 + _breaks) OVER (ROWS UNBOUNDED PRECEDING)::BIGINT AS _ends
              FROM (SELECT *, {" + ".join(f"coalesce(length({name}) - length(replace({name}, chr(10), '')), 0)" for name in names)} AS _breaks,
                        {first} IS NULL OR regexp_full_match({first}, {literal(suspect)}) AS _suspect
                    FROM (SELECT {", ".join(f"nullif({name}, '') AS {name}" for name in names)} FROM read_csv(
                        {literal(str(path))}, delim = {literal(dialect.delimiter)}, quote = '"', escape = '"', header = true,
                        columns = {{{columns}}}, auto_detect = false, strict_mode = true, ignore_errors = false,
                        null_padding = false, parallel = true, max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}))))
    """


def _begins_blank(path: Path, delimiter: str) -> bool:
    """Whether the first line holds nothing: the header is then a later one, and the engine would take this one for it."""
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES).decode("utf-8-sig", "replace")
    return not first.replace(delimiter, "").replace('"', "").strip()


def _physical_lines(path: Path, delimiter: str) -> int | None:
    """Number of lines; None where the two readers differ.

    That is: a carriage return by itself, a NUL, blanks beside a quote that opens or closes a cell. Behind a delimiter
    and blanks, a doubled quote that text follows is taken for one inside quoted text; elsewhere the engine calls it
    malformed.
    """
    blanks, mark = "[ ]+" if delimiter == "\t" else "[ \\t]+", re.escape(delimiter)
    inside = rf'"(?!"[^{mark}\r\n"])'
    # One expression each: they begin with a plain character, which the search finds faster than a choice.
    loose_quotes = [
        re.compile(expression.encode())
        for expression in (rf'"{blanks}[{mark}\r\n"]', rf"{mark}{blanks}{inside}", rf"\n{blanks}{inside}")
    ]
    lines, returns, pairs, tail = 0, 0, 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            with_tail = tail + block
            if b"\0" in block or any(quote.search(with_tail) for quote in loose_quotes):
                return None
            lines += block.count(b"\n")
            returns += block.count(b"\r")
            pairs += block.count(b"\r\n") + (tail.endswith(b"\r") and block.startswith(b"\n"))
            tail = block[-64:]
    if returns != pairs or any(quote.search(tail + b"\n") for quote in loose_quotes):
        return None
    return lines + (not tail.endswith(b"\n"))
