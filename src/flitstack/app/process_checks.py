"""The evidence of a check: do deals find their place in the business process flows of the environment."""

from typing import Any

from flitstack.app.processes import facts_path, wanted_rule
from flitstack.app.project import Project
from flitstack.app.store import load_mapping, mapped_folder, staged_folder
from flitstack.documents import load_json
from flitstack.mapping.document import MappedRoute, MappingDocument
from flitstack.mapping.processes import ABORTED, NO_PIPELINE
from flitstack.packs.processes import ProcessRule, read_process_rule
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

_NAMED = 8


def process_evidence(project: Project, engine: Engine) -> tuple[str, str]:
    """(pass, warn, block or waiting; what was found)."""
    rule = wanted_rule(project)
    if rule is None:
        known = read_process_rule(project.pack.playbook)
        return "pass", f"not asked for ({known.decision if known else 'process'}: none)"
    path = facts_path(project)
    facts: dict[str, Any] = load_json(path, dict) if path.exists() else {}
    if not facts:
        return "waiting", "asked by flitstack plan"
    if facts["problems"]:
        return "block", "; ".join(facts["problems"])
    told = "; ".join([
        f"active: {', '.join(facts['active'])}",
        *([f"not activated: {', '.join(facts['inactive'])}"] if facts["inactive"] else []),
    ])  # fmt: skip
    mapping = load_mapping(project)
    if mapping is None:
        return "waiting", f"{told}; who finds a place there is seen by flitstack plan"
    own = [r for r in mapping.routes if r.object == rule.object and r.table == rule.table and r.is_primary]
    placed, aborted, unfinished = _placed(project, engine, own, _routes(mapping, facts["followed"]))
    told += f"; {placed:,} records stand in a process"
    if aborted:
        told += f"; lost, and at the first stage for the source does not tell where: {aborted:,}"
    if unfinished:
        told += f"; won, but not finished for their stage is not the last: {unfinished:,}"
    without = _without(project, engine, own, _routes(mapping, facts["followed"]), rule)
    if not without:
        return ("warn" if unfinished else "pass"), told
    lists = {False: [one for one in without if not one[2]], True: [one for one in without if one[2]]}
    for is_pipeline, entries in lists.items():
        if entries:
            what = "pipelines without a process" if is_pipeline else "stages that the process lacks"
            named = ", ".join(f"{name} ({count:,})" for name, count, _ in entries[:_NAMED])
            more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
            told += f"; {what}, with how many records: {named}{more}"
    return ("block" if lists[True] else "warn"), told


def _routes(mapping: MappingDocument, tables: dict[str, str]) -> list[MappedRoute]:
    return [route for route in mapping.routes if route.table in tables]


def _read(project: Project, route: MappedRoute) -> str:
    return read_parquet(mapped_folder(project) / route.parquet)


def _placed(
    project: Project, engine: Engine, own: list[MappedRoute], beside: list[MappedRoute]
) -> tuple[int, int, int]:
    """Instances; those aborted at the first stage; those of won records that stay active."""
    won = " UNION ".join(f"SELECT _record FROM {_read(project, r)} WHERE _action = 'win'" for r in own if r.has_states)
    parts = " UNION ALL ".join(
        f"SELECT _record, _status, traversedpath FROM {_read(project, route)}" for route in beside if route.rows
    )
    if not parts:
        return 0, 0, 0
    counts = engine.one(
        f"""SELECT count(*), count(*) FILTER (_status = {ABORTED} AND NOT contains(traversedpath, ',')),
            count(*) FILTER (_status IS NULL AND _record IN ({won or "SELECT '' WHERE FALSE"})) FROM ({parts})"""
    )
    return int(counts[0]), int(counts[1]), int(counts[2])


def _without(
    project: Project, engine: Engine, own: list[MappedRoute], beside: list[MappedRoute], rule: ProcessRule
) -> list[tuple[str, int, bool]]:
    """(pipeline or stage, records, is it a pipeline): of records that become rows and stand in no process, the most first."""
    staged = staged_folder(project) / f"{rule.object}.parquet"
    if not own or not staged.exists():
        return []
    made = " UNION ".join(f"SELECT _record FROM {_read(project, route)}" for route in own)
    stands = " UNION ".join(f"SELECT _record FROM {_read(project, route)}" for route in beside if route.rows)
    findings = project.state / "findings" / "map.parquet"
    lost = f"SELECT record FROM {read_parquet(findings)} WHERE code = {literal(NO_PIPELINE)}"
    pipeline = f"clean({quoted(rule.pipeline)})" if rule.pipeline else "NULL"
    stage = f"clean({quoted(rule.stage)})"
    rows = engine.rows(
        f"""SELECT CASE WHEN lost THEN coalesce(p, '(none)') ELSE concat_ws(' / ', p, s) END AS name, count(*), lost
        FROM (SELECT {pipeline} AS p, {stage} AS s, _id IN ({lost}) AS lost FROM {read_parquet(staged)}
            WHERE {stage} IS NOT NULL AND _id IN ({made}) AND _id NOT IN ({stands or "SELECT '' WHERE FALSE"}))
        GROUP BY name, lost ORDER BY count(*) DESC, name"""
    )
    return [(str(name), int(count), bool(is_pipeline)) for name, count, is_pipeline in rows]
