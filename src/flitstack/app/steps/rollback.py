"""`flitstack rollback`: what the journal says was made is taken back, and the state before is proven."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from flitstack.app.gates import now
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED, Progress, Result, worst_exit
from flitstack.app.rounds import everything, forget_loaded
from flitstack.app.running import run_async
from flitstack.app.snapshots import FEW_ROWS, fingerprint_folder, versions_folder
from flitstack.app.steps.load import EMULATOR_LIMIT_S, SERVICE_LIMIT_S
from flitstack.app.store import load_applied_schema, load_plan, plan_folder
from flitstack.app.subjects import plan_missing
from flitstack.app.wiring import open_destination, open_engine, open_journal
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.documents import save_json
from flitstack.errors import UsageError
from flitstack.journal.journal import Journal
from flitstack.loading.load import Load, execute
from flitstack.loading.rows import landed_sql, make_done_view
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan
from flitstack.planning.rollback import find_kept, rollback_plan
from flitstack.reconciling.fingerprint import compare_fingerprints, write_fingerprint, write_references, write_versions
from flitstack.staging.engine.engine import Engine

# Lookups of these tables to ours mean that somebody has come to rely on our rows.
REFERRING = (
    "account", "contact", "lead", "opportunity", "quote", "salesorder", "invoice", "task", "phonecall", "email",
    "appointment", "letter", "annotation", "connection", "incident",
)  # fmt: skip


@dataclass
class Rollback:
    """One rollback and what it needs."""

    project: Project
    plan: Plan
    destination: Destination
    journal: Journal
    engine: Engine
    progress: Progress

    @property
    def work(self) -> Path:
        """Where versions and fingerprints of now are kept."""
        return self.project.env_state / "rollback"


def rollback(project: Project, progress: Progress, *, force: bool, with_schema: bool, dry_run: bool) -> Result:
    """Take back; `force` also what was edited or referenced since. Exit code 5 when the state before is not proven."""
    made = load_plan(project)
    if made is None:
        raise UsageError(plan_missing())
    plan = everything(project, made)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        make_done_view(engine, journal)
        document = run_async(
            _roll_back(project, plan, engine, journal, progress, force=force, with_schema=with_schema, dry_run=dry_run),
            plan.url,
        )
    if not dry_run:
        forget_loaded(project)
        save_json(project.env_state / "rollback.json", document | {"at": now()})
    code = worst_exit(
        EXIT_FAILED if document["failed"] else EXIT_DONE,
        EXIT_DONE if document["equal"] or dry_run else EXIT_DIFFERENCES,
    )
    return Result(document, tuple(_lines(document, dry_run=dry_run)), code)


async def _roll_back(
    project: Project,
    plan: Plan,
    engine: Engine,
    journal: Journal,
    progress: Progress,
    *,
    force: bool,
    with_schema: bool,
    dry_run: bool,
) -> dict[str, Any]:
    destination = open_destination(project)
    try:
        this = Rollback(project, plan, destination, journal, engine, progress)
        progress.phase("looking for rows edited or referenced since")
        await _find_kept(this)
        kept = _kept_rows(this)
        if force:
            engine.run("DELETE FROM kept")
            kept = []
        undo = rollback_plan(
            engine,
            plan,
            plan_folder(project),
            with_schema=with_schema and not kept,
            operations=load_applied_schema(project),
        )
        planned = sum(table.rows for table in undo.tables)
        if dry_run:
            return {
                "reversed": 0,
                "planned": planned,
                "kept": len(kept),
                "kept_rows": kept,
                "failed": 0,
                "equal": None,
                "tables": {},
            }
        facts = await destination.facts()
        limit_s = EMULATOR_LIMIT_S if facts.is_emulator else SERVICE_LIMIT_S
        options = SendOptions(in_flight=max(2, min(facts.parallelism_hint, 16)), server_limit_s=limit_s)
        loaded = await execute(
            Load(undo, plan_folder(project), destination, journal, engine, progress, options), "rollback"
        )
        progress.phase("proving the state before")
        tables = await _prove(this)
        return {
            "reversed": planned - loaded.refused,
            "planned": planned,
            "kept": len(kept),
            "kept_rows": kept,
            "failed": loaded.refused,
            # Without a fingerprint (a recovered journal) nothing is proven.
            "equal": bool(tables) and all(not entry["gone"] and not entry["changed"] for entry in tables.values()),
            "schema": "removed" if with_schema and not kept else "kept",
            "tables": tables,
        }
    finally:
        await destination.close()


async def _find_kept(this: Rollback) -> None:
    written, current, references = {}, {}, {}
    for name in sorted({send.table for send in this.plan.tables}):
        table = await this.destination.table(name)
        before = versions_folder(this.project) / f"{name}.parquet"
        if table is None or not before.exists():
            continue
        now = this.work / f"{name}.versions.parquet"
        await write_versions(this.destination, this.engine, table, _ids(this, name), now)
        written[name], current[name] = before, now
    targets = {send.table for send in this.plan.tables}
    for name in REFERRING:
        table = await this.destination.table(name)
        columns = _pointing(table, targets) if table else []
        if table and columns:
            path = this.work / f"{name}.references.parquet"
            await write_references(this.destination, this.engine, table, columns, path)
            references[name] = path
    find_kept(this.engine, this.plan, plan_folder(this.project), written, current, references)


async def _prove(this: Rollback) -> dict[str, dict[str, int]]:
    """Compare the fingerprints of before and now, table by table."""
    tables = {}
    for note in this.journal.notes("fingerprint"):
        name = str(note["table"])
        table = await this.destination.table(name)
        if table is None or not note["rows"]:
            tables[name] = {"rows": int(note["rows"]), "gone": int(note["rows"]), "changed": 0}
            continue
        after = this.work / f"{name}.fingerprint.parquet"
        await write_fingerprint(this.destination, this.engine, table, note["columns"], after)
        rows, gone, changed = compare_fingerprints(
            this.engine, fingerprint_folder(this.project) / f"{name}.parquet", after
        )
        tables[name] = {"rows": rows, "gone": gone, "changed": changed}
    return tables


def _ids(this: Rollback, table: str) -> list[UUID] | None:
    found = [UUID(str(row[0])) for row in this.engine.rows(f"{landed_sql(table)} LIMIT {FEW_ROWS + 1}")]
    return found if len(found) <= FEW_ROWS else None


def _pointing(table: Table, targets: set[str]) -> list[str]:
    return sorted(
        name
        for name, column in table.columns.items()
        if column.type in {"Lookup", "Customer"}
        and column.updatable
        and column.is_web_api
        and targets & set(column.targets)
    )


def _kept_rows(this: Rollback) -> list[dict[str, str]]:
    """What stays, with the record it came from."""
    found = []
    for send in this.plan.tables:
        rows = this.engine.rows(
            f"""SELECT k."table", CAST(k."row" AS VARCHAR), k.why, e._object, e._file, e._record
                FROM read_parquet('{plan_folder(this.project) / send.parquet}') e
                JOIN kept k ON k."row" = e._row AND k."table" = '{send.table}' ORDER BY e._ord"""
        )
        found += [dict(zip(("table", "row", "why", "object", "file", "record"), row, strict=True)) for row in rows]
    return found


def _lines(document: dict[str, Any], *, dry_run: bool) -> list[str]:
    if dry_run:
        lines = [f"would take back {document['planned']:,} rows"]
    else:
        lines = [f"taken back: {document['reversed']:,} rows, failed: {document['failed']:,}"]
    why = {"edited": "edited since", "referenced": "others point to it", "parent": "a kept row needs it"}
    for row in document["kept_rows"]:
        lines.append(f"kept: {row['table']} {row['row']} ({row['file']}, record {row['record']}): {why[row['why']]}")
    if document["equal"] is not None:
        lines += [
            f"proof: {table}: {entry['rows']:,} rows were there before; gone {entry['gone']}, changed {entry['changed']}"
            for table, entry in document["tables"].items()
        ]
        lines.append(_verdict(document))
    return lines


def _verdict(document: dict[str, Any]) -> str:
    if not document["equal"]:
        return "the destination is NOT as it was before"
    if document["kept"]:
        kept = f"{document['kept']:,} rows of the load stay"
        return f"what was there before is unchanged; {kept} (--force takes them back as well)"
    return "the destination is as it was before"
