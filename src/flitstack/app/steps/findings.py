"""`flitstack findings`: everything the steps found about single records."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flitstack.app.local import open_engine
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.errors import FINDING_COLUMNS, OUTCOMES
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

EXAMPLES = 3


def findings(project: Project, *, code: str = "", outcome: str = "", step: str = "", every: bool = False) -> Result:
    """List findings; grouped by code with examples for people, all of them as JSON."""
    with open_engine(project) as engine:
        source = findings_source(project)
        where, values = _conditions(code, outcome)
        if step:
            source = findings_of_files([path for path in finding_files(project) if path.stem == step])
        rows = engine.rows(
            f"SELECT {', '.join(map(quoted, FINDING_COLUMNS))} FROM {source} WHERE {where} ORDER BY code, object, file, line, record, field",
            values,
        )
    document = [dict(zip(FINDING_COLUMNS, row, strict=True)) for row in rows]
    return Result(document, tuple(_lines(rows, every=every)))


def finding_files(project: Project) -> list[Path]:
    """Parquet files of findings that stand now: the project's and the chosen environment's."""
    return sorted((project.state / "findings").glob("*.parquet")) + sorted(
        (project.env_state / "findings").glob("*.parquet")
    )


def findings_source(project: Project) -> str:
    """A relation with FINDING_COLUMNS over all steps."""
    return findings_of_files(finding_files(project))


def worst_outcome_sql(column: str = "outcome") -> str:
    """SQL that ranks an outcome: 0 is the worst (errors.OUTCOMES)."""
    cases = " ".join(f"WHEN {literal(name)} THEN {rank}" for rank, name in enumerate(OUTCOMES))
    return f"CASE {column} {cases} ELSE {len(OUTCOMES)} END"


def count_by_code(engine: Engine, project: Project) -> list[tuple[str, str, int]]:
    """(code, outcome, records) over all findings."""
    return [
        (str(c), str(o), int(n))
        for c, o, n in engine.rows(
            f"SELECT code, outcome, count(*) FROM {findings_source(project)} GROUP BY ALL ORDER BY ALL"
        )
    ]


def findings_of_files(paths: Sequence[Path]) -> str:
    """A relation with FINDING_COLUMNS over these files."""
    if not paths:
        columns = ", ".join(
            f"NULL::{'BIGINT' if name == 'line' else 'VARCHAR'} AS {quoted(name)}" for name in FINDING_COLUMNS
        )
        return f"(SELECT {columns} WHERE FALSE)"
    return read_parquet(paths, "union_by_name = true")


def _conditions(code: str, outcome: str) -> tuple[str, list[str]]:
    wanted = {"code": code, "outcome": outcome}
    given = {name: value for name, value in wanted.items() if value}
    return " AND ".join([*(f"{name} = ?" for name in given), "TRUE"]), list(given.values())


def _lines(rows: Sequence[tuple[Any, ...]], *, every: bool) -> list[str]:
    lines: list[str] = []
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        finding = dict(zip(FINDING_COLUMNS, row, strict=True))
        groups.setdefault(finding["code"], []).append(finding)
    for code, group in groups.items():
        outcomes = ", ".join(sorted({f["outcome"] for f in group}))
        lines.append(f"{code}: {len(group)} ({outcomes})")
        for finding in group if every else group[:EXAMPLES]:
            record = f", record {finding['record']}" if finding["record"] else ""
            place = f"{finding['file']}{record}" + (f" (line {finding['line']})" if finding["line"] else "")
            field = f', field "{finding["field"]}"' if finding["field"] else ""
            shape = f" {finding['shape']}" if finding["shape"] else ""
            lines.append(f"  {place}{field}:{shape} {finding['what']}")
        if group[0]["do"]:
            lines.append(f"  do     {group[0]['do']}")
        if not every and len(group) > EXAMPLES:
            lines.append(f"  ... and {len(group) - EXAMPLES} more: flitstack findings --code {code} --all")
    return lines or ["no findings"]
