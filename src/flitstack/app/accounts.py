"""The account of every source object: how its records fall, before loading from findings, after it from the journal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flitstack.app.project import Project
from flitstack.app.rounds import open_state
from flitstack.app.steps.findings import findings_source
from flitstack.app.store import deduped_folder, plan_folder
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.changes import runs_since
from flitstack.planning.document import Plan, SendTable
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, read_parquet

COUNTED = ("read", "created", "updated", "merged", "unchanged", "held", "rejected", "excluded")


def accounts_before(engine: Engine, project: Project, staged: StagingDocument) -> dict[str, dict[str, int]]:
    """read, merged, held, excluded and planned records by object, from the survivor map and the findings.

    A record counts once: merged when it went into another one, else by its worst finding.
    """
    reference = set(project.pack.playbook.get("reference") or {})
    survivors = deduped_folder(project) / "survivors.parquet"
    merged = dict(engine.rows(f"SELECT object, count(*) FROM {read_parquet(survivors)} GROUP BY object"))
    outcomes = engine.rows(
        f"""
        SELECT object, worst, count(*) FROM (
            SELECT f.object, f.file, f.record,
                   CASE WHEN bool_or(outcome = 'held') THEN 'held' WHEN bool_or(outcome = 'excluded') THEN 'excluded'
                        ELSE 'merged' END AS worst
            FROM {findings_source(project)} f
            WHERE outcome IN ('held', 'excluded', 'merged') AND f.record <> '' AND NOT EXISTS (
                SELECT 1 FROM {read_parquet(survivors)} s
                WHERE s.object = f.object AND s.loser_file = f.file AND s.loser_id = f.record
                    AND s.loser_line IS NOT DISTINCT FROM f.line)
            -- By line as well: a reject is known by its number, which may be another record's id.
            GROUP BY f.object, f.file, f.record, f.line
        ) GROUP BY object, worst
        """
    )
    fallen: dict[str, dict[str, int]] = {}
    for name, worst, count in outcomes:
        fallen.setdefault(name, {})[worst] = count
    accounts = {}
    for name, table in staged.tables.items():
        rejects = sum(file.rejects for file in staged.files if file.object == name)
        read = table.records + rejects
        mine = fallen.get(name, {})
        held, excluded = mine.get("held", 0), mine.get("excluded", 0)
        if name in reference:
            excluded = read - held
        away = int(merged.get(name, 0)) + mine.get("merged", 0)
        accounts[name] = {
            "read": read,
            "merged": away,
            "held": held,
            "excluded": excluded,
            "unchanged": 0,
            "planned": read - away - held - excluded,
        }
    return accounts


def accounts_now(engine: Engine, project: Project, plan: Plan, journal: Journal) -> dict[str, dict[str, Any]]:
    """The accounts with what the journal says of every planned row; `pending` records have no verdict yet.

    Needs the temporary view `journal_rows` (loading.rows.make_done_view).
    """
    runs, since = journal.runs_of(plan.sha256), runs_since(plan, journal)
    counts: dict[str, dict[str, int]] = {}
    for name, outcome, count in engine.rows(_record_outcomes(plan, project, runs, since)):
        counts.setdefault(name, {})[outcome] = count
    accounts: dict[str, dict[str, Any]] = {}
    for name, before in plan.accounts.items():
        after = counts.get(name, {})
        account: dict[str, Any] = {key: int(before.get(key, 0)) + int(after.get(key, 0)) for key in COUNTED}
        account["pending"] = int(after.get("pending", 0))
        account["closes"] = _closes(account)
        if "carried" in before:
            account["carried"] = int(before["carried"])
        accounts[name] = account
    return accounts


def rows_by_table(engine: Engine, project: Project, plan: Plan) -> dict[str, int]:
    """Rows that landed, by destination table; annotations are told apart besides: `note` without, `file` with a file."""
    tables: dict[str, int] = {}
    for folder, send in sides_of(project, plan):
        source = read_parquet(folder / send.parquet)
        landed = f"(SELECT \"row\" FROM ({_last_word(send.table)}) WHERE word = 'created')"
        count = int(engine.one(f"SELECT count(*) FROM {source} WHERE _row IN {landed}")[0])
        tables[send.table] = tables.get(send.table, 0) + count
        if send.table == "annotation":
            kind = "file" if send.has_files else "note"
            tables[kind] = tables.get(kind, 0) + count
    return tables


def sides_of(project: Project, plan: Plan) -> list[tuple[Path, SendTable]]:
    """Every send table with its folder of what the environment holds by our doing, once this plan is executed."""
    folder = plan_folder(project)
    if plan.kind != "delta":
        return [(folder, send) for send in plan.tables]
    state = open_state(folder / "state")
    return [(state.folder, send) for side in (state.whole, state.left) for send in side.tables]


def _change_word(send: SendTable, step: int, runs: Sequence[int], *, is_sampled: bool) -> str:
    """SQL: row, word (updated | rejected | pending) by what this step of the plan did to each row.

    What the sample sent about a row that was there before is not sent again (`is_sampled`): there its runs count too, under any
    step.
    """
    which = f"operation = {Operation.UPDATE}" if is_sampled else f"step = {step}"
    mine = f"{which} AND run IN ({', '.join(map(str, runs)) or '-1'})"
    return f"""
        SELECT "row", CASE WHEN bool_or(status = {Status.LANDED}) THEN 'updated'
            WHEN arg_max(status, batch) IN ({Status.REFUSED}, {Status.PARTLY}) THEN 'rejected' ELSE 'pending' END AS word
        FROM journal_rows WHERE "table" = {literal(send.table)} AND {mine} GROUP BY "row"
    """


def _record_outcomes(plan: Plan, project: Project, runs: Sequence[int], since: Sequence[int]) -> str:
    """SQL: object, outcome, records; a record's outcome is that of its worst row.

    Rows beside a record (the account of a referral's organisation) say nothing of the record itself.
    """
    words = {send.name: _last_word(send.table) for send in plan.tables if not send.is_change}
    for step in plan.steps:
        # A table's first step is about its columns; links, which may follow, say nothing of the record.
        if step.send and step.send not in words:
            send = plan.send_table(step.send)
            is_sampled = _is_sampled(plan, send)
            words[step.send] = _change_word(send, step.index, since if is_sampled else runs, is_sampled=is_sampled)
    parts = [
        f"""SELECT e._object AS object, e._file AS file, e._record AS record, coalesce(w.word, {_unsaid(plan, send)}) AS word
            FROM {read_parquet(plan_folder(project) / send.parquet)} e
            LEFT JOIN ({words[send.name]}) w ON w."row" = e._row
            WHERE NOT e._beside"""
        for send in plan.tables
        if send.phase != "left"
    ]
    if not parts:
        return "SELECT '' AS object, '' AS outcome, 0 AS records WHERE FALSE"
    rank = (
        "CASE word WHEN 'rejected' THEN 0 WHEN 'pending' THEN 1 WHEN 'created' THEN 2 WHEN 'updated' THEN 3 ELSE 4 END"
    )
    return f"""
        SELECT object, outcome, count(*) FROM (
            SELECT object, file, record, arg_min(word, {rank}) AS outcome
            FROM ({" UNION ALL ".join(parts)}) GROUP BY object, file, record
        ) GROUP BY object, outcome
    """


def _is_sampled(plan: Plan, send: SendTable) -> bool:
    # A delta has no sample, and tables of its own for what it changes.
    return send.was_there and plan.kind != "delta"


def _unsaid(plan: Plan, send: SendTable) -> str:
    """SQL: what a row is of which the journal says nothing: one that was there before may have nothing to change."""
    return (
        "CASE WHEN len(e._changed) = 0 THEN 'unchanged' ELSE 'pending' END" if _is_sampled(plan, send) else "'pending'"
    )


def _last_word(table: str) -> str:
    """SQL: row, word (created | rejected | pending) by the last create or delete of each row of a table."""
    return f"""
        SELECT "row", CASE
            WHEN arg_max(operation, batch) = {Operation.DELETE} THEN 'pending'
            WHEN arg_max(status, batch) = {Status.LANDED} THEN 'created'
            WHEN arg_max(status, batch) = {Status.REFUSED} THEN 'rejected' ELSE 'pending' END AS word
        FROM journal_rows WHERE "table" = {literal(table)} AND operation IN ({Operation.CREATE}, {Operation.DELETE})
        GROUP BY "row"
    """


def _closes(account: Mapping[str, object]) -> bool:
    placed = sum(_number(account[key]) for key in COUNTED if key != "read")
    return _number(account["read"]) == placed and not _number(account["pending"])


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
