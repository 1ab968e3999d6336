"""What a delta found, record by record, and its counts table by table."""

from collections.abc import Mapping
from pathlib import Path

from flitstack.planning.absent import ABSENT, DROPPED, IN_USE, MERGED, REROUTED, THERE_BEFORE, Policies
from flitstack.planning.changes import Side
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

# list of delta.decide -> code, what, do
_CELLS = {
    "conflict": (
        "edit_conflict",
        "changed in the source and edited in Dynamics: Dynamics'' value stays",
        "nothing, or write {0}: source_wins under the decision delta in decisions.yaml and plan the delta again",
    ),
    "edited": ("edited_in_dynamics", "edited in Dynamics, unchanged in the source: it stays", "nothing"),
    "fixed": ("cannot_change", "changed in the source, but the platform takes it only when a row is made", "nothing"),
}
_LEFT = {
    ABSENT: ("absent_in_source", "the later export does not hold this record any more"),
    REROUTED: ("rerouted", "the record goes to another table now; the row it was before is still there"),
    MERGED: ("merged_since", "the record is part of another one now; its own row is still there"),
    IN_USE: (
        "absent_in_use",
        "no record makes this row any more, but it was edited in Dynamics or other rows point to it",
    ),
    THERE_BEFORE: ("no_longer_matched", "no record is this row any more, which was there before the migration"),
    DROPPED: ("no_longer_made", "the record makes this row no more: it is held, excluded, or routed otherwise"),
}
_ACTIONS = {
    "keep": "the row stays as it is",
    "deactivate": "the row is closed",
    "delete": "the row is deleted",
}


def delta_findings(
    engine: Engine, wanted: Side, decided: Mapping[str, Path], kept: Path | None, policies: Policies
) -> FindingsWriter:
    """Conflicts, edits, rows that are gone, rows without a record. What earlier rounds listed is not listed again.

    Needs the temporary table `left_rows` (planning.absent).
    """
    findings = FindingsWriter(engine, "delta")
    known = (
        read_parquet(kept) if kept else '(SELECT \'\' AS "table", NULL::UUID AS "row", \'\' AS "column" WHERE FALSE)'
    )
    for send in wanted.plan.tables:
        path = decided.get(send.table)
        if path is None:
            continue
        place = f"""FROM {read_parquet(path)} d
            JOIN {read_parquet(wanted.folder / send.parquet)} e ON e._row = d."row" """
        where_from = "_object AS object, _file AS file, _record AS record, _line AS line"
        fields = " ".join(f"WHEN {literal(c.name)} THEN {literal(c.field)}" for c in send.columns)
        shown = f"CASE c {fields} ELSE c END" if fields else "c"
        new = f'NOT EXISTS (SELECT 1 FROM {known} k WHERE k."table" = {literal(send.table)} AND k."row" = _row AND k."column" = c)'
        for name, (code, what, do) in _CELLS.items():
            again = "TRUE" if name == "conflict" else new
            told = do.format(f"{send.table}.' || c || '")
            findings.add_sql(
                f"""SELECT {literal(code)} AS code, {where_from}, {shown} AS field, 'listed' AS outcome, '' AS shape,
                    '{send.table}.' || c || ' of row ' || _row || ' was {what}' AS what, '{told}' AS "do"
                FROM (SELECT e._row, e._object, e._file, e._record, e._line, unnest(d.{name}) AS c {place}) WHERE {again}"""
            )
        findings.add_sql(
            f"""SELECT 'deleted_in_dynamics' AS code, {where_from}, '' AS field, 'listed' AS outcome, '' AS shape,
                '{send.table} row ' || _row || ' was deleted in Dynamics: it is not made again' AS what, 'nothing' AS "do"
            FROM (SELECT e._row, e._object, e._file, e._record, e._line, '(row)' AS c {place} WHERE d.is_gone) WHERE {new}"""
        )
    for why, (code, what) in _LEFT.items():
        for (table,) in engine.rows(f'SELECT DISTINCT "table" FROM left_rows WHERE why = {literal(why)} ORDER BY ALL'):
            done = _ACTIONS[policies.of(why, str(table))]
            findings.add_sql(
                f"""SELECT {literal(code)} AS code, object, file, record, line, '' AS field, 'listed' AS outcome, '' AS shape,
                    {literal(f"{what}; {done} (")} || "table" || ' ' || "row" || ')' AS what,
                    'look at it, or decide otherwise under delta_{"rerouted" if why == REROUTED else "absent"} in decisions.yaml' AS "do"
                FROM left_rows WHERE why = {literal(why)} AND "table" = {literal(table)} AND NOT beside"""
            )
    return findings


def table_counts(
    engine: Engine, made: Plan, wanted: Side, decided: Mapping[str, Path], folder: Path
) -> dict[str, dict[str, int]]:
    """By destination table: rows created, updated, unchanged (of the records that were read), closed and deleted because no
    record makes them; cells in conflict and edited; rows gone. Needs `round_records` and `left_rows`."""
    counts: dict[str, dict[str, int]] = {}
    for table in dict.fromkeys([*wanted.tables(), *(send.table for send in made.tables)]):
        sends = [send for send in made.tables if send.table == table]
        new = [send for send in sends if not send.is_change]
        changed = [send for send in sends if send.phase == "changes"]
        rows = " UNION ALL ".join(
            f"SELECT _row, _object, _record FROM {read_parquet(wanted.folder / s.parquet)}" for s in wanted.sends(table)
        )
        sent = " UNION ALL ".join(
            f"SELECT _row FROM {read_parquet(folder / send.parquet)}" for send in [*new, *changed]
        )
        unless = f"ANTI JOIN ({sent}) s ON s._row = w._row" if sent else ""
        read = "SEMI JOIN round_records r ON r.object = w._object AND r.id = w._record"
        updated = " UNION ".join(f"SELECT _row FROM {read_parquet(folder / send.parquet)}" for send in changed)
        counts[table] = {
            "created": sum(send.rows for send in new),
            "updated": _one(engine, f"SELECT count(*) FROM ({updated})") if updated else 0,
            "unchanged": _one(engine, f"SELECT count(*) FROM ({rows}) w {read} {unless}") if rows else 0,
            "closed": sum(s.rows for s in sends if s.phase == "left" and s.has_states),
            "deleted": sum(s.rows for s in sends if s.phase == "left" and not s.has_states),
        }
        if table in decided:
            cells = engine.one(
                "SELECT coalesce(sum(len(conflict)), 0), coalesce(sum(len(edited)), 0), count(*) FILTER (WHERE is_gone)"
                f" FROM {read_parquet(decided[table])}"
            )
            counts[table] |= {"conflicts": int(cells[0]), "edited": int(cells[1]), "gone": int(cells[2])}
    for why, table, count in engine.rows('SELECT why, "table", count(*) FROM left_rows GROUP BY ALL ORDER BY ALL'):
        counts.setdefault(str(table), {})[str(why)] = int(count)
    return counts


def _one(engine: Engine, sql: str) -> int:
    return int(engine.one(sql)[0])
