"""The proof behind a rollback: a hash of every row that was there before the load, and the versions of what we wrote.

A fingerprint covers, per table, the id and every column that clients may write of the rows that existed then, without
createdon, modifiedon and versionnumber. Rows made since do not count.
"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.port import Destination
from flitstack.reconciling.readback import as_uuid
from flitstack.staging.engine.engine import Engine, literal, read_parquet

VERSION, EDITOR = "versionnumber", "modifiedby"
# Kept by the server, or readable only by a request of its own.
_LEFT_OUT = frozenset(("createdon", "modifiedon", "versionnumber", "overriddencreatedon", "documentbody", "body"))
_READABLE = frozenset(
    (
        "String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "DateTime", "Picklist",
        "MultiSelectPicklist", "State", "Status", "Lookup", "Customer", "Owner",
    )
)  # fmt: skip


def fingerprint_columns(table: Table) -> list[str]:
    """Columns of a table that the fingerprint covers, in alphabetical order."""
    return sorted(name for name, column in table.columns.items() if _counts(column))


async def write_fingerprint(
    destination: Destination, engine: Engine, table: Table, columns: Sequence[str], target: Path
) -> int:
    """Write `target` (row UUID, hash) for every row there is now; returns how many.

    `columns`: those of the fingerprint to compare with. A column that is gone since reads as empty, one that was added
    since is not looked at.
    """
    there = [name for name in columns if name in table.columns]
    raw = target.with_suffix(".raw")
    await _save_rows(destination, table, there, raw)
    source = read_parquet(raw)
    rows = engine.write_parquet(
        f'SELECT {as_uuid("_row")} AS "row", md5(CAST(t AS VARCHAR)) AS hash FROM {source} t', target
    )
    raw.unlink()
    return rows


def compare_fingerprints(
    engine: Engine, before: Path, after: Path, differing: Path, *, made: str, ours: str
) -> tuple[int, int, int]:
    """(rows then, of these gone now, of these changed): rows made since are not looked at; `differing` (row) names the changed.

    Queries ("row") of rows that do not count: `made`, which we made earlier; `ours`, which rounds of ours that still stand have
    changed.
    """
    source = f"""(SELECT * FROM {read_parquet(before)} ANTI JOIN ({made}) m USING ("row")) b
        LEFT JOIN {read_parquet(after)} a ON a."row" = b."row" """
    rows, gone = engine.one(f'SELECT count(*), count(*) FILTER (WHERE a."row" IS NULL) FROM {source}')
    changed = engine.write_parquet(
        f'SELECT b."row" FROM {source} ANTI JOIN ({ours}) o ON o."row" = b."row" WHERE a.hash <> b.hash', differing
    )
    return int(rows), int(gone), changed


async def write_versions(
    destination: Destination, engine: Engine, table: Table, ids: Sequence[UUID] | None, target: Path
) -> int:
    """Write `target` (row UUID, version BIGINT) of the given rows, or of all; returns how many."""
    raw = target.with_suffix(".raw")
    await _save_rows(destination, table, [VERSION], raw, ids)
    rows = engine.write_parquet(
        f'SELECT {as_uuid("_row")} AS "row", {VERSION} AS version FROM {read_parquet(raw)}', target
    )
    raw.unlink()
    return rows


async def write_editors(
    destination: Destination, engine: Engine, table: Table, ids: Sequence[UUID] | None, target: Path
) -> int:
    """Write `target` (row UUID, version BIGINT, editor UUID: who wrote it last) of the given rows, or of all."""
    raw = target.with_suffix(".raw")
    await _save_rows(destination, table, [VERSION, EDITOR], raw, ids)
    rows = engine.write_parquet(
        f'SELECT {as_uuid("_row")} AS "row", {VERSION} AS version, {as_uuid(EDITOR)} AS editor '
        f"FROM {read_parquet(raw)}",
        target,
    )
    raw.unlink()
    return rows


async def write_references(
    destination: Destination, engine: Engine, table: Table, columns: Sequence[str], target: Path
) -> int:
    """Write `target` (row UUID, column, target UUID) with every value of the lookup columns of all rows of a table."""
    raw = target.with_suffix(".raw")
    await _save_rows(destination, table, columns, raw)
    selects = " UNION ALL ".join(
        f'SELECT {as_uuid("_row")} AS "row", {literal(name)} AS "column", {as_uuid(name)} AS target '
        f'FROM {read_parquet(raw)} WHERE "{name}" IS NOT NULL'
        for name in columns
    )
    rows = engine.write_parquet(selects, target)
    raw.unlink()
    return rows


async def _save_rows(
    destination: Destination, table: Table, columns: Sequence[str], target: Path, ids: Sequence[UUID] | None = None
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    writer: pq.ParquetWriter | None = None
    try:
        async for batch in destination.rows(table, columns, ids=ids):
            if writer is None:
                writer = pq.ParquetWriter(target, batch.schema)
            writer.write_batch(batch)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        fields = [("_row", pa.binary(16)), *((name, pa.string()) for name in columns)]
        pq.write_table(pa.schema(fields).empty_table(), target)


def _counts(column: Column) -> bool:
    return (
        column.type in _READABLE
        and column.name not in _LEFT_OUT
        and column.is_web_api
        and column.readable
        and column.updatable
        and not column.is_calculated
        and column.base_of is None
    )
