"""Records that are rows of the chosen environment already: found before ids are given, looked at before the plan is shown.

`.flitstack/<env>/matched/<table>.parquet` keeps who was found (planning/matching.py); reports/matches.xlsx shows it for
sign-off, and `keep apart` in its column `decision` goes to matches.yaml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from flitstack.app.apart import add_apart, check_apart, read_apart, read_sheet
from flitstack.app.edits import versions_folder
from flitstack.app.project import Project
from flitstack.app.rounds import load_loaded
from flitstack.app.snapshots import FEW_ROWS
from flitstack.app.store import deduped_folder, load_dedupe, load_staging, staged_folder
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.rows import landed_sql, make_done_view
from flitstack.mapping.document import MappingDocument
from flitstack.mapping.expressions import Scope, compile_expression, fields_of
from flitstack.planning.build import forecast_requests, plan_steps, sealed
from flitstack.planning.changes import Side
from flitstack.planning.delta import sealed_table
from flitstack.planning.document import Plan, SendTable
from flitstack.planning.matching import Matching, Rule, match_rows, matched_keys
from flitstack.planning.restore import write_images
from flitstack.planning.upsert import (
    Found,
    carry_ours,
    index_name,
    read_upsert,
    write_wanted,
)
from flitstack.reconciling.fingerprint import write_versions
from flitstack.reconciling.readback import as_uuid, read_back
from flitstack.reconciling.sameness import Meant, columns_of, write_sameness
from flitstack.reporting.matches import write_matches
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

SHEET = "matches.xlsx"


def upsert_rules(project: Project) -> dict[str, dict[str, str]]:
    """Table -> index -> expression, as `existing` has them."""
    rules, _ = read_upsert(project.pack.playbook, project.decisions)
    return {table: {index_name(n): key for n, key in enumerate(keys)} for table, keys in rules.items()}


def rules_to_read(project: Project) -> dict[str, dict[str, str]]:
    """The same, and those of tables in which records were found before: whether these rows are still there has to be known
    whatever is decided now."""
    written: Mapping[str, Any] = project.pack.playbook.get("upsert") or {}
    earlier = {
        t: {index_name(n): str(key) for n, key in enumerate(written.get(t) or ())} for t in matched_files(project)
    }
    return {table: rules for table, rules in (earlier | upsert_rules(project)).items() if rules}


def matched_files(project: Project) -> dict[str, Path]:
    """Table -> Parquet of rows that records of ours were found to be."""
    return {path.stem: path for path in sorted((project.env_state / "matched").glob("*.parquet"))}


def match_existing(
    project: Project,
    engine: Engine,
    journal: Journal,
    mapping: MappingDocument,
    mapped: Path,
    live: Mapping[str, Table | None],
    known: Mapping[str, Mapping[str, Path | tuple[()]]],
    existing: Mapping[str, Path],
) -> dict[str, Path]:
    """Find them, and give their records these rows in the journal's key maps. `known`: of existing.existing_rows; `existing`:
    the environment's rows by table, as read for this plan."""
    rules = _rules(project, live, known)
    make_done_view(engine, journal)
    earlier = matched_files(project)
    # Once a load came to its end, a record stays who it is; before that, once something was sent about its row.
    settled = load_loaded(project) is not None
    held = {
        t: f'SELECT "row" FROM {read_parquet(p)}' if settled else _held(journal, t, existing.get(t))
        for t, p in earlier.items()
    }
    gone = [] if settled else [_gone(journal, t, p, existing.get(t)) for t, p in earlier.items()]
    work = Matching(
        project.pack.name,
        mapped,
        rules,
        earlier,
        held,
        {table: _made(journal, table) for table in rules},
        _apart(project, engine),
        {name: path for name in live if (path := journal.keymap_path(name))},
    )  # fmt: skip
    _remember_gone(engine, gone)
    # What was found before is read while what is found now is written: it gets a place of its own first.
    draft = project.env_state / "matched.draft"
    found = match_rows(engine, mapping.routes, work, draft)
    _keep(project, engine, journal, earlier, found)
    _list_unmatched(project, engine)
    return matched_files(project)


def _keep(
    project: Project, engine: Engine, journal: Journal, earlier: Mapping[str, Path], found: Mapping[str, Path]
) -> None:
    """Give the records their rows. While the key maps change, `matched` names every pair of before and of now: a row of a key map
    that it does not name is taken for one that we made, and a rollback would delete it."""
    folder = project.env_state / "matched"
    folder.mkdir(parents=True, exist_ok=True)
    changed = {}
    for table in sorted(earlier.keys() | found.keys()):
        target = engine.scratch / f"matched-keys-{table}.parquet"
        if matched_keys(engine, journal.keymap_path(table), earlier.get(table), found.get(table), target):
            changed[table] = target
        pairs = [f"SELECT * FROM {read_parquet(files[table])}" for files in (earlier, found) if table in files]
        engine.write_parquet(" UNION ".join(pairs), folder / f"{table}.parquet")
    for table, target in changed.items():
        journal.store_keys(table, target)
    for table in earlier.keys() - found.keys():
        earlier[table].unlink()
    for table, path in found.items():
        path.replace(folder / f"{table}.parquet")


def _written(journal: Journal, table: str) -> str:
    """SELECT "row": older rows that a load changed and no rollback gave back."""
    runs = ", ".join(map(str, journal.standing_runs())) or "-1"
    return (
        f'SELECT DISTINCT "row" FROM journal_rows WHERE "table" = {literal(table)} AND operation = {Operation.UPDATE} '
        f"AND status <> {Status.REFUSED} AND run IN ({runs})"
    )


def _held(journal: Journal, table: str, rows: Path | None) -> str:
    """SELECT "row": those of them that are still there. `rows`: the environment's, as read for this plan."""
    return f'{_written(journal, table)} AND "row" IN ({_there(rows)})'


def _gone(journal: Journal, table: str, found: Path, rows: Path | None) -> str:
    """SELECT object, file, record, line, table: records whose row somebody deleted after a load had written into it."""
    return (
        f'SELECT object, file, record, line, {literal(table)} AS "table" FROM {read_parquet(found)} e '
        f'SEMI JOIN ({_written(journal, table)} AND "row" NOT IN ({_there(rows)})) w ON w."row" = e."row"'
    )


def _there(rows: Path | None) -> str:
    return f"SELECT CAST(hex(_row) AS UUID) FROM {read_parquet(rows)}" if rows else "SELECT NULL::UUID WHERE FALSE"


def _remember_gone(engine: Engine, gone: Sequence[str]) -> None:
    nobody = "SELECT '' AS object, '' AS file, '' AS record, NULL::BIGINT AS line, '' AS \"table\" WHERE FALSE"
    engine.run(f"CREATE OR REPLACE TEMP TABLE gone_matches AS {' UNION ALL '.join((nobody, *gone))}")


def _rules(
    project: Project,
    live: Mapping[str, Table | None],
    known: Mapping[str, Mapping[str, Path | tuple[()]]],
) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for table, indexes in upsert_rules(project).items():
        there = live.get(table)
        if there is None:
            continue
        names = tuple(there.columns)
        found[table] = [
            Rule(text, compile_expression(text, Scope(names, {})).sql, fields_of(text, names), known[table][index])
            for index, text in indexes.items()
        ]
    return found


def _made(journal: Journal, table: str) -> str:
    """SELECT digest of records whose row we made."""
    keys = journal.keymap_path(table)
    if keys is None:
        return "SELECT ''"
    return f'SELECT digest FROM {read_parquet(keys)} SEMI JOIN ({landed_sql(table)}) l USING ("row")'


def _apart(project: Project, engine: Engine) -> list[tuple[str, str]]:
    decisions = project.folder / "matches.yaml"
    for sheet in filter(Path.exists, _sheets(project)):
        add_apart(decisions, read_sheet(sheet), by=project.operator)
    entries, staged, deduped = read_apart(decisions), load_staging(project), load_dedupe(project)
    if entries and staged is not None and deduped is not None:
        records = {name: staged_folder(project) / f"{name}.parquet" for name in staged.tables}
        check_apart(engine, decisions, entries, records, deduped_folder(project) / deduped.survivors)
    return sorted(entries)


def _list_unmatched(project: Project, engine: Engine) -> None:
    findings = FindingsWriter(engine, "match")
    findings.add_sql(
        """SELECT 'ambiguous_match' AS code, object, file, record, line, '' AS field, 'listed' AS outcome, '' AS shape,
            what || ': a row of its own is made' AS what,
            'merge what is the same, there or in the source; then run: flitstack plan' AS "do" FROM unmatched_rows"""
    )
    findings.add_sql(
        """SELECT 'match_deleted' AS code, object, file, record, line, '' AS field, 'listed' AS outcome, '' AS shape,
            'its row of ' || "table" || ' was deleted in Dynamics after the sample had written into it: it gets a row of its own, '
            || 'and rows of the sample that pointed to it have lost it' AS what,
            'run: flitstack rollback --force (what lost it counts as edited), flitstack plan, flitstack load --sample' AS "do" FROM gone_matches"""
    )
    findings.save(project.env_state / "findings" / "match.parquet")


@dataclass
class Upserts:
    """Looking at the rows that records were found to be. `standing`: what an earlier round left, the newest first."""

    project: Project
    engine: Engine
    journal: Journal
    destination: Destination
    live: Mapping[str, Table | None]
    standing: tuple[Side, ...] = ()

    @property
    def folder(self) -> Path:
        """Scratch."""
        return self.project.env_state / "upserts"

    async def decide(self, plan: Plan, folder: Path) -> Plan:
        """The plan with what is to be sent about each of these rows; sealed anew."""
        if not any(send.was_there for send in plan.tables):
            return plan
        self.folder.mkdir(parents=True, exist_ok=True)
        images = self._images()
        tables = []
        for send in plan.tables:
            live = self.live.get(send.table)
            if not send.was_there or live is None:
                tables.append(send)
                continue
            decided = await self._look(send, live, folder, images.get(send.table))
            if self.standing:
                decided = carry_ours(self.engine, decided, self.standing, folder)
            tables.append(sealed_table(self.engine, decided, folder))
        schema = [step for step in plan.steps if step.kind == "schema"]
        steps = plan_steps((), tables, plan.phases, existing=schema, roles=plan.roles)
        return sealed(replace(plan, tables=tuple(tables), steps=steps, requests=forecast_requests(steps)))

    async def _look(self, send: SendTable, live: Table, folder: Path, images: Path | None) -> SendTable:
        _, policy = read_upsert(self.project.pack.playbook, self.project.decisions)
        wanted = f"SELECT _row FROM {read_parquet(folder / send.parquet)}"
        versions, back, same = (self.folder / f"{send.name}.{what}.parquet" for what in ("versions", "back", "same"))
        rows = self.engine.rows(f"SELECT CAST(_row AS VARCHAR) FROM ({wanted}) LIMIT {FEW_ROWS + 1}")
        few = [UUID(str(row)) for (row,) in rows] if len(rows) <= FEW_ROWS else None
        await write_versions(self.destination, self.engine, live, few, versions)
        meant = Meant([send], folder)
        columns = columns_of([meant], live)
        await read_back(self.destination, self.engine, live, columns, wanted, "", back, whole=few is None)
        write_sameness(self.engine, meant, live, back, wanted, same, is_update=True)
        found = Found(same, back, versions, self._ours(send, versions, images, same))
        return write_wanted(self.engine, send, live, found, policy, folder, as_uuid)

    def _images(self) -> dict[str, Path]:
        runs = self.journal.standing_runs()
        return write_images(self.engine, self.journal, runs, {}, self.folder / "images") if runs else {}

    def _ours(self, send: SendTable, versions: Path, images: Path | None, same: Path) -> Path | None:
        """Cells that an earlier load filled (its sample, one that was cut short) and nobody edited since: the row is the version
        that the load left, or, where it was killed before it could note that, the cell holds what was sent."""
        if images is None:
            return None
        left = versions_folder(self.project) / f"{send.table}.parquet"
        known = (
            read_parquet(left) if left.exists() else '(SELECT NULL::UUID AS "row", NULL::BIGINT AS version WHERE FALSE)'
        )
        target = self.folder / f"{send.name}.ours.parquet"
        self.engine.write_parquet(
            f"""SELECT i."row", list(DISTINCT i."column") AS columns FROM {read_parquet(images)} i
            JOIN {read_parquet(versions)} n ON n."row" = i."row" LEFT JOIN {known} l ON l."row" = i."row"
            LEFT JOIN {read_parquet(same)} s ON s."row" = i."row"
            WHERE i.operation = {Operation.UPDATE} AND (n.version = l.version OR list_contains(s.same, i."column"))
            GROUP BY i."row" """,
            target,
        )
        return target

    def report(self, plan: Plan, folder: Path) -> Path | None:
        """Write reports/matches.xlsx; None when no record is a row already."""
        sends = [send for send in plan.tables if send.was_there]
        if not sends:
            forget_report(self.project)
            return None
        path = self.project.reports / SHEET
        return write_matches(self.engine, sends, folder, matched_files(self.project), self.folder, path)


def forget_report(project: Project) -> None:
    """Nobody was found: no list of an earlier plan stays."""
    for path in _sheets(project):
        path.unlink(missing_ok=True)


def _sheets(project: Project) -> tuple[Path, Path]:
    return project.reports / SHEET, (project.reports / SHEET).with_suffix(".csv")


def upsert_lines(plan: Plan, report: Path | None) -> list[str]:
    """What a person reads of it."""
    there = [send for send in plan.tables if send.was_there]
    if not there or report is None:
        return []
    lines = [
        f"{send.table}: {send.rows:,} records are rows of the environment already; {send.to_send:,} of these rows get columns"
        for send in there
    ]
    return [*lines, f"who was found to be whom: {report.parent.name}/{report.name} (decision column: keep apart)"]
