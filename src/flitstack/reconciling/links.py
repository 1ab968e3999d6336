"""Many-to-many links: what the send tables name against what the destination joins."""

import asyncio
from uuid import UUID

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.errors import Finding
from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.document import ColumnResult
from flitstack.reconciling.readback import as_uuid
from flitstack.reconciling.tables import Place, meant_rows
from flitstack.staging.engine.engine import Engine, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

_AT_ONCE = 8
_ROWS_PER_ROUND = 1_000


async def compare_links(
    plan: Plan,
    send: SendTable,
    table: Table,
    destination: Destination,
    engine: Engine,
    findings: FindingsWriter,
    place: Place,
) -> ColumnResult:
    """One cell a row and relationship: the set of rows it is joined with must be the one that was sent; a row that was there
    before us may be joined with more. Rows that are not there are told as missing or rejected, not here."""
    there = f"SELECT {as_uuid('_row')} AS _row FROM {read_parquet(place.scratch / f'{table.name}.parquet')}"
    meant = meant_rows(plan, send, table, engine, place, read_parquet(place.plan / send.parquet))
    source = f"""(SELECT * FROM {meant} SEMI JOIN ({there}) USING (_row)
        WHERE NOT list_contains(coalesce(_kept, []), '(row)'))"""
    groups = f"""
        SELECT CAST(_row AS VARCHAR), l.relationship, l."table", list(CAST(l.id AS VARCHAR)),
               any_value(_object), any_value(_file), any_value(_record), any_value(_line)
        FROM (SELECT _row, _object, _file, _record, _line, unnest(_links) AS l FROM {source})
        GROUP BY _row, l.relationship, l."table" ORDER BY 1, 2"""
    cells = differences = 0
    named = engine.rows(f'SELECT DISTINCT l."table" FROM (SELECT unnest(_links) AS l FROM {source})')
    others: dict[str, Table | None] = {name: await destination.table(name) for (name,) in named}
    turns = asyncio.Semaphore(_AT_ONCE)

    async def differs(row: str, relationship: str, other: str, ids: list[str]) -> bool:
        async with turns:
            other_table = others[other]
            if other_table is None:
                return True
            found = await destination.related(table, UUID(row), relationship, other_table)
            sent = {UUID(text) for text in ids}
            return not sent <= found if send.was_there else found != sent

    for batch in list(engine.batches(groups, _ROWS_PER_ROUND)):
        rows = [tuple(column[n].as_py() for column in batch.columns) for n in range(batch.num_rows)]
        wrong = await asyncio.gather(*(differs(*row[:4]) for row in rows))
        cells += len(rows)
        differences += sum(wrong)
        listed = [row for row, is_wrong in zip(rows, wrong, strict=True) if is_wrong][: place.examples]
        findings.add(
            Finding(
                "cell_differs",
                object=row[4],
                file=row[5],
                record=row[6],
                line=row[7],
                outcome="listed",
                field=row[1],
                what=f"row {row[0]} of {send.table} is not joined by {row[1]} with what was sent",
                do="look in Dynamics who changed the links, or run `flitstack retry`",
            )
            for row in listed
        )
    return ColumnResult("(links)", "", cells, differences)
