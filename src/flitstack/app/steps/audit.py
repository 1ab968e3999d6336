"""`flitstack audit`: the log of every operation, its hash chain, its export; `trace` follows one row to its record."""

from pathlib import Path
from typing import Any

from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_FAILED, Result
from flitstack.journal.audit import runs
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view
from flitstack.staging.engine.engine import Engine, literal, read_parquet


def audit(project: Project, *, verify: bool, export: Path | None) -> Result:
    """Counts by run and operation; with `verify` the chain is walked (exit code 1 when it breaks)."""
    with open_journal(project, write=False) as journal, open_engine(project) as engine:
        make_done_view(engine, journal)
        document: dict[str, Any] = {
            "runs": _runs(journal),
            "operations": _operations(engine),
            "unsettled": len(journal.state.unsettled),
        }
        lines = _lines(document)
        code = EXIT_DONE
        if verify:
            groups, breaks = journal.verify()
            document["verified"] = {
                "groups": groups,
                "breaks": [{"file": b.segment, "offset": b.offset, "what": b.what} for b in breaks],
            }
            lines += [f"broken: {b.segment} at byte {b.offset}: {b.what}" for b in breaks]
            lines.append(f"chain: {groups:,} groups hold, {len(breaks)} do not")
            code = EXIT_FAILED if breaks else EXIT_DONE
        if export is not None:
            rows = _export(engine, journal, export)
            document["exported"] = {"rows": rows, "file": str(export)}
            lines.append(f"{rows:,} operations written to {export}")
    return Result(document, tuple(lines), code)


def _runs(journal: Journal) -> list[dict[str, Any]]:
    return [
        {
            "run": r.number,
            "command": r.command,
            "operator": r.operator,
            "at": r.at.isoformat(timespec="seconds"),
            "plan": r.plan,
        }
        for r in runs(journal)
    ]


def _operations(engine: Engine) -> list[dict[str, Any]]:
    rows = engine.rows('SELECT run, operation, "table", status, count(*) FROM journal_rows GROUP BY ALL ORDER BY ALL')
    return [
        {
            "run": run,
            "operation": Operation(op).name.lower(),
            "table": table,
            "status": Status(status).name.lower(),
            "rows": count,
        }
        for run, op, table, status, count in rows
    ]


def _export(engine: Engine, journal: Journal, target: Path) -> int:
    """Source id, destination id, operation, outcome, time (UTC) and operator of every operation, as CSV."""
    keys = " UNION ALL ".join(
        f'SELECT "row", plain FROM {read_parquet(path)}'
        for table in journal.keymap_tables()
        if (path := journal.keymap_path(table)) is not None
    )
    known = keys or 'SELECT NULL::UUID AS "row", NULL::VARCHAR AS plain WHERE FALSE'
    operators = " ".join(f"WHEN {run.number} THEN {literal(run.operator)}" for run in runs(journal))
    words = " ".join(f"WHEN {op.value} THEN {literal(op.name.lower())}" for op in Operation)
    states = " ".join(f"WHEN {status.value} THEN {literal(status.name.lower())}" for status in Status)
    target.parent.mkdir(parents=True, exist_ok=True)
    row = engine.one(
        f"""
        COPY (
            SELECT k.plain AS source_id, CAST(j."row" AS VARCHAR) AS destination_id, j."table",
                   CASE operation {words} END AS operation, CASE status {states} END AS outcome,
                   strftime(make_timestamp(at_ms * 1000), '%Y-%m-%dT%H:%M:%SZ') AS at, run,
                   CASE run {operators or "WHEN -1 THEN ''"} END AS operator
            FROM journal_rows j LEFT JOIN ({known}) k ON k."row" = j."row"
            ORDER BY at_ms, batch
        ) TO {literal(str(target))} (FORMAT csv, HEADER)
        """
    )
    return int(row[0])


def _lines(document: dict[str, Any]) -> list[str]:
    lines = [
        f"run {r['run']}: {r['command']} by {r['operator']} at {r['at']} (plan {r['plan'][:12]})"
        for r in document["runs"]
    ]
    lines += [
        f"run {o['run']}: {o['operation']:<8} {o['table']:<24} {o['rows']:>9,} {o['status']}"
        for o in document["operations"]
    ]
    if document["unsettled"]:
        lines.append(f"{document['unsettled']} requests without outcome: the next run asks for them first")
    return lines
