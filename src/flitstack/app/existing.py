"""Rows that the environment had before us and records may point to: accounts of the same company, units, connection roles.

The playbook says what they are known by (`existing: {account: {existing_name: company_key(name)}}`, docs/playbook.md).
Rows that this project made there are left out, so that a plan made again is the same plan.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.mapping.expressions import Scope, compile_expression, fields_of
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

Rules = Mapping[str, Mapping[str, str]]


def existing_rules(playbook: Mapping[str, Any]) -> Rules:
    """Table -> match index -> expression over the table's columns."""
    return {
        str(table): {str(index): str(rule) for index, rule in (rules or {}).items()}
        for table, rules in (playbook.get("existing") or {}).items()
    }


async def fetch_existing(
    destination: Destination, rules: Rules, live: Mapping[str, Table | None], folder: Path
) -> dict[str, Path]:
    """Read the columns that the rules need into one Parquet file a table; batch by batch, whatever its size."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    for name, indexes in rules.items():
        table = live.get(name)
        if table is None:
            continue
        columns = sorted({column for rule in indexes.values() for column in fields_of(rule, tuple(table.columns))})
        path = folder / f"{name}.parquet"
        path.unlink(missing_ok=True)  # a table whose last row went since has no file
        with contextlib.ExitStack() as stack:
            writer: pq.ParquetWriter | None = None
            async for batch in destination.rows(table, columns):
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(path, batch.schema))
                writer.write_table(pa.Table.from_batches([batch]))
        if path.exists():
            found[name] = path
    return found


def existing_rows(
    engine: Engine,
    journal: Journal,
    rules: Rules,
    files: Mapping[str, Path],
    matched: Mapping[str, Path],
    folder: Path,
) -> dict[str, dict[str, Path | tuple[()]]]:
    """Table -> match index -> Parquet of ("key", "row"): what the rows are known by, without those this project made.

    `matched`: by table, rows ("row") that records of ours were found to be: they stood there before. An index of a table
    without rows is there all the same, and empty.
    """
    found: dict[str, dict[str, Path | tuple[()]]] = {
        name: dict.fromkeys(indexes, ()) for name, indexes in rules.items()
    }
    for name, path in files.items():
        source = read_parquet(path)
        types = {str(row[0]): str(row[1]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")}
        ids = [
            f"CAST(CAST(hex({quoted(column)}) AS UUID) AS VARCHAR) AS {quoted(column)}"
            for column, kind in types.items()
            if kind == "BLOB" and column != "_row"
        ]
        if ids:  # a rule reads a lookup as its row's id in text
            source = f"(SELECT * REPLACE ({', '.join(ids)}) FROM {source})"
        columns = tuple(types.keys() - {"_row"})
        known = journal.keymap_path(name)
        before = matched.get(name)
        unless = f'WHERE "row" NOT IN (SELECT "row" FROM {read_parquet(before)})' if before else ""
        ours = f'AND CAST(hex(_row) AS UUID) NOT IN (SELECT "row" FROM {read_parquet(known)} {unless})' if known else ""
        for index, rule in rules[name].items():
            key = compile_expression(rule, Scope(columns, {})).sql
            target = folder / f"{name}-{index}.parquet"
            engine.write_parquet(
                f"""SELECT CAST({key} AS VARCHAR) AS "key", CAST(hex(_row) AS UUID) AS "row" FROM {source}
                WHERE ({key}) IS NOT NULL {ours}""",
                target,
            )
            found[name][index] = target
    return found
