"""What the destination refused, as findings with file, record and remedy."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from flitstack.errors import Finding
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan, SendTable
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

_ROWS_AT_ONCE = 50_000
_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("row", pa.uuid()),
        ("operation", pa.int32()),
        ("code", pa.string()),
        ("message", pa.string()),
    ]
)


def save_refusals(engine: Engine, journal: Journal, plan: Plan, folder: Path, target: Path) -> int:
    """Write a finding for everything that is still refused, several for a row of which several things were; returns how many."""
    findings = FindingsWriter(engine, "load")
    _hand_over(engine, journal)
    for send in plan.tables:
        findings.add_sql(
            f"""
            SELECT 'rejected_' || lower(r.code) AS code, e._object AS object, e._file AS file, e._record AS record,
                   e._line AS line, '' AS field, CASE WHEN r.operation IN ({Operation.CREATE}, {Operation.UPDATE}) THEN 'rejected' ELSE 'listed' END
                   AS outcome, '' AS shape, 'the destination refused {send.table}: ' || r.message AS what,
                   'correct the record or the map for it, then: flitstack map, flitstack plan, flitstack retry' AS "do"
            FROM {read_parquet(folder / send.parquet)} e
            JOIN refusals r ON r."table" = {literal(send.table)} AND r."row" = e._row
            WHERE r.operation IN ({", ".join(str(int(operation)) for operation in _operations(send))})
            """
        )
    engine.run("DROP TABLE refusals")
    findings.add(_refused_roles(journal, plan))
    return findings.save(target)


def _hand_over(engine: Engine, journal: Journal) -> None:
    """Temporary table `refusals` ("table", row, operation, code, message), filled part by part: a table that is refused as a whole
    has millions."""
    engine.run(
        'CREATE OR REPLACE TEMP TABLE refusals ("table" VARCHAR, "row" UUID, operation INTEGER, code VARCHAR, message VARCHAR)'
    )
    told = (
        (table, row, int(operation), code, message)
        for (table, row), verdicts in journal.state.refused.items()
        for operation, (code, message) in verdicts
    )
    while part := list(islice(told, _ROWS_AT_ONCE)):
        columns = [pa.array(column, kind) for column, kind in zip(zip(*part, strict=True), _SCHEMA.types, strict=True)]
        engine.connection.register("told_refusals", pa.table(columns, schema=_SCHEMA))
        engine.run("INSERT INTO refusals SELECT * FROM told_refusals")
        engine.connection.unregister("told_refusals")


def _refused_roles(journal: Journal, plan: Plan) -> Iterator[Finding]:
    for grant in plan.roles:
        refused = dict(journal.state.refused.get(("systemuser", UUID(grant.user).bytes), ())).get(Operation.LINK)
        if refused is not None:
            code, message = refused
            yield Finding(
                f"rejected_{code.lower()}", object=grant.object, file=grant.file, record=grant.record, outcome="listed",
                what=f"the destination refused the role {grant.name}: {message}",
                do="have an administrator give the role, or let the migration user give it, then: flitstack load",
            )  # fmt: skip


def _operations(send: SendTable) -> list[Operation]:
    """What the plan does to rows of the table: a refusal of anything else belongs to an earlier plan."""
    sometimes = {
        Operation.LOOKUPS: any(column.second_pass for column in send.columns),
        Operation.LINK: send.has_links,
        Operation.STATE: send.has_states,
        Operation.FILE: send.has_files,
        Operation.CREATE: not send.is_change,
        Operation.UPDATE: send.is_change,
        Operation.PARTIES: send.is_change and send.has_parties,
    }
    return [operation for operation in Operation if sometimes.get(operation, True)]
