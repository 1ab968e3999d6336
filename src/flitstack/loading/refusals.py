"""What the destination refused, as findings with file, record and remedy."""

from pathlib import Path
from uuid import UUID

import pyarrow as pa

from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine, literal
from flitstack.staging.engine.findings import FindingsWriter


def save_refusals(engine: Engine, journal: Journal, plan: Plan, folder: Path, target: Path) -> int:
    """Write the findings of every row whose last word is a refusal; returns how many. Needs the view `journal_rows`."""
    findings = FindingsWriter(engine, "load")
    listed = [
        {"table": table, "row": str(UUID(bytes=row)), "code": code, "message": message}
        for (table, row), (code, message) in journal.state.refusals.items()
    ]
    schema = pa.schema([(name, pa.string()) for name in ("table", "row", "code", "message")])
    engine.connection.register("refusals", pa.Table.from_pylist(listed, schema=schema))
    for send in plan.tables:
        findings.add_sql(
            f"""
            SELECT 'rejected_' || lower(r.code) AS code, e._object AS object, e._file AS file, e._record AS record,
                   e._line AS line, '' AS field, CASE WHEN l.is_create THEN 'rejected' ELSE 'listed' END AS outcome,
                   '' AS shape, 'the destination refused {send.table}: ' || r.message AS what,
                   'correct the record or the map for it, then: flitstack map, flitstack plan, flitstack retry' AS "do"
            FROM read_parquet({literal(str(folder / send.parquet))}) e
            JOIN refusals r ON r."table" = {literal(send.table)} AND r."row" = CAST(e._row AS VARCHAR)
            JOIN (SELECT "row", arg_max(status, batch) AS status, arg_max(operation, batch) = {Operation.CREATE} AS is_create
                  FROM journal_rows WHERE "table" = {literal(send.table)} GROUP BY "row") l ON l."row" = e._row
            WHERE l.status = {Status.REFUSED}
            """
        )
    engine.connection.unregister("refusals")
    return findings.save(target)
