"""The accounts of a round: what the later exports held, and what of earlier ones this round sends again."""

from collections.abc import Mapping
from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.steps.findings import finding_files, findings_of_files
from flitstack.app.store import deduped_folder
from flitstack.planning.changes import Side
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine, read_parquet
from flitstack.staging.union import READ


def read_records(engine: Engine, folders: list[Path]) -> None:
    """Temporary tables of what the later exports held: `round_records` (object, file, id, line), each record by its last export, and
    `round_rejects` (object) of records that could not be read; those have a number, which may be another record's id."""
    reads, rejects = [], []
    for number, folder in enumerate(folders):
        reads.append(f"SELECT {number} AS n, object, file, id, line FROM {read_parquet(folder / READ)}")
        path = folder / "rejects.parquet"
        if path.exists():
            rejects.append(f"SELECT object FROM {read_parquet(path)} WHERE outcome = 'held' AND object <> ''")
    nothing = "SELECT 0 AS n, '' AS object, '' AS file, '' AS id, 0::BIGINT AS line WHERE FALSE"
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE round_records AS SELECT object, file, id, line FROM ({" UNION ALL ".join(reads) or nothing})
        QUALIFY n = max(n) OVER (PARTITION BY object, id)"""
    )
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE round_rejects AS SELECT object FROM ({' UNION ALL '.join(rejects) or nothing})"
    )


def delta_accounts(
    engine: Engine, project: Project, plan: Plan, folder: Path, wanted: Side
) -> dict[str, dict[str, int]]:
    """By object: read, merged, held, excluded, unchanged, planned, and `carried`: of `read`, records of earlier exports.

    Needs `read_records`. `folder`: the delta's send tables.
    """
    reference = set(project.pack.playbook.get("reference") or {})
    read = _counts(
        engine,
        "SELECT object, count(*) FROM (SELECT object FROM round_records UNION ALL FROM round_rejects) GROUP BY object",
    )
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE round_sent AS
        SELECT DISTINCT object, record FROM ({_sent(plan, folder) or _NOBODY})"""
    )
    carried = _counts(
        engine,
        "SELECT s.object, count(*) FROM round_sent s ANTI JOIN round_records r ON r.object = s.object AND r.id = s.record GROUP BY ALL",
    )
    sent = _counts(engine, "SELECT object, count(*) FROM round_sent GROUP BY object")
    unchanged = _counts(engine, _unchanged(wanted))
    fallen = _fallen(engine, project)
    accounts = {}
    for name in sorted({*read, *carried}):
        mine = fallen.get(name, {})
        held, excluded = mine.get("held", 0), mine.get("excluded", 0)
        if name in reference:
            excluded = read.get(name, 0) - held
        accounts[name] = {
            "read": read.get(name, 0) + carried.get(name, 0),
            "merged": mine.get("merged", 0),
            "held": held,
            "excluded": excluded,
            "unchanged": unchanged.get(name, 0),
            "planned": sent.get(name, 0),
            "carried": carried.get(name, 0),
        }
    return accounts


_NOBODY = "SELECT '' AS object, '' AS record WHERE FALSE"


def _sent(plan: Plan, folder: Path) -> str:
    return " UNION ALL ".join(
        f"SELECT _object AS object, _record AS record FROM {read_parquet(folder / send.parquet)} WHERE NOT _beside"
        for send in plan.tables
        if send.phase != "left"
    )


def _unchanged(wanted: Side) -> str:
    """SELECT object, records that were read, make rows and are not sent."""
    rows = " UNION ALL ".join(
        f"SELECT _object AS object, _record AS record FROM {read_parquet(wanted.folder / send.parquet)} WHERE NOT _beside"
        for send in wanted.plan.tables
    )
    return f"""SELECT w.object, count(*) FROM (SELECT DISTINCT object, record FROM ({rows or _NOBODY})) w
        SEMI JOIN round_records r ON r.object = w.object AND r.id = w.record
        ANTI JOIN round_sent s ON s.object = w.object AND s.record = w.record GROUP BY w.object"""


def _fallen(engine: Engine, project: Project) -> Mapping[str, Mapping[str, int]]:
    """Object -> merged | held | excluded -> records of this round; a record counts once, by its worst."""
    survivors = read_parquet(deduped_folder(project) / "survivors.parquet")
    # What staging found is about files and records that could not be read, never about one that was.
    findings = findings_of_files([path for path in finding_files(project) if path.stem != "stage"])
    rows = engine.rows(
        f"""
        SELECT object, worst, count(*) FROM (
            SELECT r.object, r.file, r.id, r.line,
                CASE WHEN bool_or(s.loser_id IS NOT NULL) THEN 'merged' WHEN bool_or(f.outcome = 'held') THEN 'held'
                     WHEN bool_or(f.outcome = 'excluded') THEN 'excluded' WHEN bool_or(f.outcome = 'merged') THEN 'merged' END AS worst
            FROM round_records r
            LEFT JOIN (SELECT * FROM {findings} WHERE outcome IN ('held', 'excluded', 'merged')) f
                ON f.object = r.object AND f.record = r.id AND f.line IS NOT DISTINCT FROM r.line AND f.file = r.file
            LEFT JOIN {survivors} s
                ON s.object = r.object AND s.loser_id = r.id AND s.loser_line IS NOT DISTINCT FROM r.line AND s.loser_file = r.file
            GROUP BY r.object, r.file, r.id, r.line
            UNION ALL SELECT object, '', '', NULL, 'held' FROM round_rejects
        ) WHERE worst IS NOT NULL GROUP BY object, worst
        """
    )
    found: dict[str, dict[str, int]] = {}
    for name, worst, count in rows:
        found.setdefault(str(name), {})[str(worst)] = int(count)
    return found


def _counts(engine: Engine, sql: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in engine.rows(sql)}
