"""`flitstack journal recover`: a lost journal is made again from what the destination's rows say of themselves.

Every row that can carry one has its source key; rows of other tables are known by the plan, and by what earlier loads left, as
far as they are still there. What cannot be known again is said, and rollback then covers creates only.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.app.edits import versions_folder
from flitstack.app.local import holds_journal, journal_folder, open_engine, remember_position
from flitstack.app.operators import remember_operator
from flitstack.app.processes import followed_tables
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.rounds import laid_down
from flitstack.app.running import run_async
from flitstack.app.snapshots import fingerprint_folder, keep_versions
from flitstack.app.store import load_applied_schema, load_plan, plan_folder
from flitstack.app.wiring import open_destination
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, UsageError
from flitstack.journal.frames import HASH_BYTES, ID_BYTES, Operation, Outcome
from flitstack.journal.journal import Journal
from flitstack.journal.lease import Lease
from flitstack.journal.segments import sync_folder
from flitstack.mapping.maps import read_maps
from flitstack.planning.document import Plan
from flitstack.planning.schema import source_id_column, source_key_column
from flitstack.reconciling.fingerprint import fingerprint_columns, write_fingerprint
from flitstack.staging.engine.engine import Engine, literal, read_parquet

ROWS_PER_INTENT = 1_000
_PAGE = 5_000
# Ids that the journal gives (keys.row_id_at): free form, variant bits, two bytes of zeros.
_OURS = """CAST("row" AS VARCHAR) LIKE '________-____-8___-8000-____________'"""


@dataclass
class Recovered:
    """One table. `created`: rows that we made; `updated`: rows that carry a source key and were there before us."""

    table: str
    keys: int = 0
    created: int = 0
    updated: int = 0
    by: str = "source key"  # source key | plan (or what an earlier load left) | nothing


@dataclass
class Recovery:
    """What recovering needs. `sent`: by table, the send tables of the plan and of everything that was loaded, the newest first."""

    project: Project
    plan: Plan | None
    sent: dict[str, list[Path]]
    destination: Destination
    journal: Journal
    engine: Engine
    lost: list[str] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """For what is read."""
        folder = self.project.env_state / "recover"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def recover(project: Project, progress: Progress) -> Result:
    """Make the journal again. Raises UsageError while there is one: what it knows is more than can be found again."""
    folder = journal_folder(project)
    if holds_journal(folder):
        problem = Problem(
            "journal-there",
            f"{folder} holds a journal",
            do=f"if it is damaged beyond use, keep a copy, move it away (mv {folder} {folder}.old) and run this again",
        )
        raise UsageError(problem)
    plan = load_plan(project)
    # Beside its place: half of it, after a failure, would be taken for all there is.
    draft = folder.with_name("journal-recovering")
    lease = Lease(project.env_state / "recover.lease", project.operator)
    try:
        shutil.rmtree(draft, ignore_errors=True)
        with open_engine(project) as engine, Journal(draft, project.operator, write=True) as journal:
            tables, lost = run_async(_recover(project, plan, engine, journal, progress), project.target.url)
            remember_position(project, journal)
        if folder.exists():
            folder.rename(folder.with_name(f"journal-remains-{uuid4().hex[:8]}"))
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        lease.release()
    remember_operator(project, "journal recover")
    document = {"tables": [asdict(one) for one in tables], "lost": lost}
    lines = [f"{one.table:<24} {one.keys:>9,} keys, {one.created:,} rows of ours, by {one.by}" for one in tables]
    lines += [f"lost: {what}" for what in lost]
    plan_again = "flitstack plan --delta" if plan and plan.kind == "delta" else "flitstack plan"
    return Result(document, tuple(lines), next=f"{plan_again}; flitstack load; flitstack reconcile")


async def _recover(
    project: Project, plan: Plan | None, engine: Engine, journal: Journal, progress: Progress
) -> tuple[list[Recovered], list[str]]:
    destination = open_destination(project)
    try:
        this = Recovery(project, plan, _sent(project, plan), destination, journal, engine)
        journal.begin_run(plan.sha256 if plan else "", "journal recover")
        found = []
        for name in _tables(this):
            progress.phase(f"reading {name}")
            table = await destination.table(name)
            if table is not None:
                found.append(await _recover_table(this, table))
        await _find_proofs(this, [one.table for one in found])
        if plan is not None and not versions_folder(project).exists():
            await keep_versions(project, plan, destination, journal, engine)
            this.lost.append(
                "which rows were edited between the load and now: only later edits keep a row from rollback"
            )
        this.lost += _always_lost(found)
        return found, this.lost
    finally:
        await destination.close()


def _sent(project: Project, plan: Plan | None) -> dict[str, list[Path]]:
    """The plan of a delta holds only what the delta changes: rows of tables that carry no source key are known by what the load
    before it left."""
    sides = [(plan_folder(project), plan)] if plan else []
    sides += [(state.folder, side) for state in laid_down(project) for side in (state.whole, state.left)]
    found: dict[str, list[Path]] = {}
    for folder, side in sides:
        for send in side.tables:
            found.setdefault(send.table, []).append(folder / send.parquet)
    return found


def _tables(this: Recovery) -> list[str]:
    """Tables that rows of ours may lie in, parents first as far as the plan knows."""
    named = [*this.sent]
    named += [route.table for file in read_maps(this.project.maps).values() for route in file.routes]
    named += followed_tables(this.project)
    return [name for name in dict.fromkeys(named) if name]


async def _recover_table(this: Recovery, table: Table) -> Recovered:
    settings = this.project.settings
    key, plain = source_key_column(settings.prefix), source_id_column(settings.prefix)
    found = Recovered(table.name)
    if table.column(key) is not None and table.column(plain) is not None:
        await _read_keys(this, table, key, plain)
    elif this.sent:
        found.by = "plan"
        await _ask_for_planned(this, table)
    else:
        found.by = "nothing"
        this.lost.append(f"rows of {table.name}: they carry no source key, and there is no plan that names them")
        return found
    target = this.work / f"{table.name}.keys.parquet"
    found.keys = this.engine.write_parquet('SELECT digest, plain, object, "row" FROM found_keys', target)
    if found.keys:
        this.journal.store_keys(table.name, target)
    found.created = _note(this, table.name, Operation.CREATE, f'SELECT "row" FROM found_keys WHERE {_OURS}')
    # Without before-images, so that a rollback knows what it cannot give back.
    updated = f'SELECT "row" FROM found_keys WHERE NOT {_OURS} UNION SELECT "row" FROM written_rows'
    found.updated = _note(this, table.name, Operation.UPDATE, updated)
    return found


async def _read_keys(this: Recovery, table: Table, key: str, plain: str) -> None:
    """Temporary tables `found_keys` of every row that carries a source key, and `written_rows` of those that carry only the plain
    one: they were there before us. Page by page, whatever their number."""
    path = this.work / f"{table.name}.parquet"
    writer: pq.ParquetWriter | None = None
    try:
        async for page in this.destination.rows(table, [key, plain], source_keyed=plain):
            if writer is None:
                writer = pq.ParquetWriter(path, page.schema)
            writer.write_table(pa.Table.from_batches([page]))
    finally:
        if writer is not None:
            writer.close()
    # Keys of rows beside an object's own end in "#<route>"; the object stands between the first two slashes either way.
    this.engine.run(
        f"""CREATE OR REPLACE TEMP TABLE found_keys AS SELECT "{key}" AS digest, "{plain}" AS plain,
        split_part("{plain}", '/', 2) AS object, CAST(lower(hex(_row)) AS UUID) AS "row"
        FROM {read_parquet(path)} WHERE "{key}" IS NOT NULL"""
    )
    this.engine.run(
        f"""CREATE OR REPLACE TEMP TABLE written_rows AS SELECT CAST(lower(hex(_row)) AS UUID) AS "row"
        FROM {read_parquet(path)} WHERE "{key}" IS NULL"""
    )


async def _ask_for_planned(this: Recovery, table: Table) -> None:
    """The same for a table whose rows carry none: those of the plan, and of what loads left, that exist."""
    this.engine.run(
        'CREATE OR REPLACE TEMP TABLE found_keys (digest VARCHAR, plain VARCHAR, object VARCHAR, "row" UUID)'
    )
    this.engine.run('CREATE OR REPLACE TEMP TABLE written_rows ("row" UUID)')
    for path in this.sent.get(table.name, ()):
        source = f"(FROM {read_parquet(path)} e ANTI JOIN found_keys f ON f.digest = e._digest)"
        for ids in list(_planned_ids(this.engine, source)):
            there = await this.destination.existing(table, ids)
            this.engine.connection.register("there", pa.table({"id": [str(one) for one in there]}, schema=_THERE))
            # The plain key of a row beside an object's own cannot be told from the plan; its digest can, and is what counts.
            this.engine.run(
                f"INSERT INTO found_keys SELECT _digest, {literal(this.project.pack.name + '/')} || _object || '/' || _record, "
                f"_object, _row FROM {source} WHERE _row IN (SELECT CAST(id AS UUID) FROM there)"
            )
            this.engine.connection.unregister("there")


_THERE = pa.schema([("id", pa.string())])


def _planned_ids(engine: Engine, source: str) -> Iterator[list[UUID]]:
    for batch in engine.batches(f"SELECT CAST(_row AS VARCHAR) FROM {source}", _PAGE):
        yield [UUID(row) for row in batch.column(0).to_pylist()]


def _note(this: Recovery, table: str, operation: Operation, chosen: str) -> int:
    """Journal rows as created (only these may a rollback delete) or changed. Hashes are unknown, so later steps send again."""
    sql = f"SELECT unhex(replace(CAST(\"row\" AS VARCHAR), '-', '')) FROM ({chosen}) ORDER BY \"row\""
    count = 0
    for batch in this.engine.batches(sql, ROWS_PER_INTENT):
        ids = b"".join(batch.column(0).to_pylist())
        rows = len(ids) // ID_BYTES
        number = this.journal.intend(0, operation, table, ids, bytes(rows * HASH_BYTES))
        this.journal.settle(Outcome(number, rows))
        count += rows
    this.journal.commit_now()
    return count


async def _find_proofs(this: Recovery, tables: list[str]) -> None:
    """Fingerprints taken before the first load count again where their files are still there; else what is not ours
    counts as it is now, and is said."""
    prefix = f"{this.project.settings.prefix}_"
    made = {str(one["name"]) for one in load_applied_schema(this.project) if one["kind"] == "create_table"}
    for name in tables:
        path = fingerprint_folder(this.project) / f"{name}.parquet"
        table = await this.destination.table(name)
        if table is None or name in made:
            this.journal.note("fingerprint", table=name, rows=0, columns=[])
            continue
        columns = [column for column in fingerprint_columns(table) if not column.startswith(prefix)]
        is_late = not path.exists()
        if is_late:
            await _fingerprint_now(this, table, columns, path)
            this.lost.append(f"the fingerprint of {name} before the load: what a rollback proves is the state of now")
        rows = int(this.engine.one(f"SELECT count(*) FROM {read_parquet(path)}")[0])
        this.journal.note("fingerprint", table=name, rows=rows, columns=columns, is_late=is_late)


async def _fingerprint_now(this: Recovery, table: Table, columns: list[str], path: Path) -> None:
    every = this.work / f"{table.name}.fingerprint.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    await write_fingerprint(this.destination, this.engine, table, columns, every)
    this.engine.write_parquet(
        f'SELECT * FROM {read_parquet(every)} WHERE NOT {_OURS} OR "row" NOT IN ({_our_rows(this, table)})',
        path,
    )


def _our_rows(this: Recovery, table: Table) -> str:
    known = this.journal.keymap_path(table.name)
    return f'SELECT "row" FROM {read_parquet(known)}' if known else "SELECT NULL::UUID WHERE FALSE"


def _always_lost(found: list[Recovered]) -> list[str]:
    updated = sum(one.updated for one in found)
    lost = [
        "who did what and when before this command",
        "what was refused, and payload hashes: lookups, links and states are sent again by the next load, without harm",
    ]
    if updated:
        lost.append(
            f"before-images: {updated:,} rows that were there before us keep what we wrote; rollback covers creates only"
        )
    else:
        lost.append("before-images of updated rows: rollback covers creates only")
    return lost
