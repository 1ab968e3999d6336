"""A delta is a plan: what is new is created, of the rest only what the source changed and nobody else did is sent.

Three-way, cell by cell: what we wrote, what the source says now, what the destination holds now. A cell that somebody edited
in Dynamics stays as it is; when the source changed too, that is a conflict: listed, and decided by `Rules`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, UsageError
from flitstack.planning.changes import GROUPS, Side, columns_of
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

SOURCE_WINS, DESTINATION_WINS = "source_wins", "destination_wins"
_NOBODY = 'SELECT NULL::UUID AS "row", NULL::VARCHAR[] AS columns WHERE FALSE'
GONE = "(row)"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who wins a conflict: by `table.column`, `table.*` or `*`; the destination where nothing is said."""

    winners: Mapping[str, str] = field(default_factory=dict)

    def source_wins(self, table: str) -> str:
        """SQL: whether the source wins in the column named by the lambda variable x."""
        default = self.winners.get(f"{table}.*", self.winners.get("*", DESTINATION_WINS)) == SOURCE_WINS
        named = {n.removeprefix(f"{table}."): w for n, w in self.winners.items() if n.startswith(f"{table}.")}
        others = [name for name, winner in named.items() if name != "*" and (winner == SOURCE_WINS) != default]
        listed = f"list_contains([{', '.join(map(literal, others))}]::VARCHAR[], x)"
        return f"NOT {listed}" if default else listed


def read_rules(decisions: Mapping[str, object], playbook: Mapping[str, object]) -> Rules:
    """From the decision `delta` (`contact.jobtitle: source_wins`), over the playbook's `delta: winners`."""
    section = playbook.get("delta")
    given = section.get("winners") if isinstance(section, Mapping) else None
    winners = {str(name): str(winner) for name, winner in given.items()} if isinstance(given, Mapping) else {}
    taken = decisions.get("delta")
    if taken is not None:
        if not isinstance(taken, Mapping):
            taken = {"*": taken}
        winners |= {str(name): str(winner) for name, winner in taken.items()}
    wrong = {name: winner for name, winner in winners.items() if winner not in {SOURCE_WINS, DESTINATION_WINS}}
    if wrong:
        told = ", ".join(f"{name}: {winner}" for name, winner in wrong.items())
        raise UsageError(
            Problem(
                "option-unknown", f"decision delta: {told}", where="decisions.yaml", known=f"{SOURCE_WINS}, {DESTINATION_WINS}",
                do="write one of these behind each table.column",
            )
        )  # fmt: skip
    return Rules(winners)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Parquet files about one table: `changes` (changes.py), `as_wanted` and `as_written` (row, compared, same: which cells
    the destination holds as the source wants them now, and as we wrote them), `kept` (the state's), `suspects` (row: those
    looked at in the destination), `versions` (row, version)."""

    changes: Path
    as_wanted: Path
    as_written: Sequence[Path]
    kept: Path | None
    suspects: Path
    versions: Path
    ours: str = ""  # query (row, columns): of rows that were there before us, the cells that are ours


def decide(engine: Engine, live: Table, wanted: Side, evidence: Evidence, rules: Rules, target: Path) -> None:
    """Write `target`: row, version, and the lists of columns that are to be written (`write`), in conflict (`conflict`),
    edited in Dynamics only (`edited`), cannot be changed (`fixed`); `is_gone` rows are no longer in the destination."""
    table = live.name
    unwritable = [
        name for name in columns_of([wanted], table) if (there := live.column(name)) is not None and not there.updatable
    ]
    # A row that was there before us is never assigned: its children, which are not ours, would go along.
    fixed = f"(list_contains([{', '.join(map(literal, unwritable))}]::VARCHAR[], x) OR (o.columns IS NOT NULL AND x = 'ownerid'))"
    written = " UNION ALL ".join(f"SELECT * FROM {read_parquet(path)}" for path in evidence.as_written)
    kept = _kept_lists(evidence.kept, table)
    # A cell counts as ours while it is as any state of ours says; one that was once Dynamics' own stays so until both agree.
    foreign = "(NOT list_contains(coalesce(p.same, []), x) OR list_contains(coalesce(k.columns, []), x))"
    differs = "NOT list_contains(w.same, x)"
    looked = "list_contains(coalesce(w.compared, []), x)"
    is_edited = f"({looked} AND {foreign} AND {differs})"
    wins = f"({rules.source_wins(table)})"
    changed = "coalesce(c.changed, [])"
    # A cell that is as wanted already needs no write; what cannot be compared is written.
    needed = f"NOT ({looked} AND NOT {differs})"
    engine.write_parquet(
        f"""
        SELECT s."row", v.version, w."row" IS NULL AS is_gone,
            list_filter({changed}, lambda x: {needed} AND NOT {fixed} AND (NOT {is_edited} OR {wins})) AS write,
            list_filter({changed}, lambda x: {needed} AND NOT {fixed} AND {is_edited} AND NOT {wins}) AS conflict,
            list_filter(coalesce(w.compared, []), lambda x: {is_edited} AND NOT list_contains({changed}, x)
                AND (o.columns IS NULL OR list_contains(o.columns, x))) AS edited,
            list_filter({changed}, lambda x: {needed} AND {fixed}) AS fixed
        FROM {read_parquet(evidence.suspects)} s
        LEFT JOIN {read_parquet(evidence.changes)} c ON c."row" = s."row"
        LEFT JOIN {read_parquet(evidence.as_wanted)} w ON w."row" = s."row"
        LEFT JOIN (SELECT "row", list_distinct(flatten(list(same))) AS same FROM ({written}) GROUP BY "row") p ON p."row" = s."row"
        LEFT JOIN ({kept}) k ON k."row" = s."row"
        LEFT JOIN {read_parquet(evidence.versions)} v ON v."row" = s."row"
        LEFT JOIN ({evidence.ours or _NOBODY}) o ON o."row" = s."row"
        """,
        target,
    )


def write_kept(engine: Engine, table: str, decided: Path, earlier: Path | None, there: str, target: Path) -> int:
    """Write `target` ("table", row, column, why): cells of one table that are Dynamics' own from now on.

    Rows that were not looked at this time keep what was said of them while they are `there` (query "row"): nothing that was said
    of a row that is made anew is true any more.
    """
    source = read_parquet(decided)
    carried = ""
    if earlier is not None:
        carried = (
            f' UNION ALL SELECT "table", "row", "column", why FROM {read_parquet(earlier)} k WHERE "table" = {literal(table)} '
            f'AND "row" NOT IN (SELECT "row" FROM {source}) AND "row" IN ({there})'
        )
    lists = " UNION ALL ".join(
        f'SELECT "row", unnest({name}) AS "column", {literal(name)} AS why FROM {source} WHERE NOT is_gone'
        for name in ("conflict", "edited", "fixed")
    )
    return engine.write_parquet(
        f'SELECT {literal(table)} AS "table", "row", "column", why FROM ({lists}) UNION ALL '
        f"SELECT {literal(table)}, \"row\", '{GONE}', 'gone' FROM {source} WHERE is_gone{carried}",
        target,
    )


def write_updates(
    engine: Engine, side: Side, standing: Sequence[Side], send: SendTable, decided: Path, folder: Path
) -> SendTable | None:
    """The send table with the changed columns of rows of `send`; None when there are none."""
    known = columns_of([side, *standing], send.table)
    listed = engine.rows(
        f'SELECT DISTINCT unnest(write) AS c FROM {read_parquet(decided)} d SEMI JOIN {_source(side, send)} e ON e._row = d."row"'
        " WHERE NOT is_gone ORDER BY c"
    )
    names = [name for (name,) in listed if name not in GROUPS and name in known]
    if not names:
        return None
    present = {row[0] for row in engine.rows(f"DESCRIBE SELECT * FROM {_source(side, send)}")}
    blanks = "".join(
        f", NULL::{'TIMESTAMPTZ' if known[n].type == 'DateTime' else 'VARCHAR'} AS {quoted(n)}"
        for n in names
        if n not in present
    )
    plain = ", ".join(map(literal, names))
    # An owner can be changed, never taken away.
    changed = f"list_filter(d.write, lambda x: list_contains([{plain}], x){_owned(names, present)})"
    name = f"{send.name}_update"
    rows = engine.write_parquet(
        f"""SELECT * FROM (SELECT {_own_columns(send)}{blanks}, {changed} AS _changed, d.version AS _version FROM {_source(side, send)} e
        JOIN {read_parquet(decided)} d ON d."row" = e._row WHERE NOT d.is_gone) WHERE len(_changed) > 0 ORDER BY _ord""",
        folder / f"rows/{name}.parquet",
    )
    if not rows:
        return None
    columns = tuple(replace(known[n], second_pass=False) for n in names)
    return _change(send, name, rows, columns=columns)


def write_group(
    engine: Engine,
    side: Side,
    send: SendTable,
    decided: Path,
    group: str,
    folder: Path,
    *,
    label: str,
    values: str = "",
    where: str = "TRUE",
    join: str = "",
) -> SendTable | None:
    """The send table of rows of `send` in which a group such as (state) is to be written; `values`: REPLACE list."""
    name = f"{send.name}_{label}"
    columns = f"{_own_columns(send)} REPLACE ({values})" if values else _own_columns(send)
    rows = engine.write_parquet(
        f"""SELECT {columns}, d.version AS _version FROM {_source(side, send)} e
        JOIN {read_parquet(decided)} d ON d."row" = e._row {join}
        WHERE NOT d.is_gone AND list_contains(d.write, {literal(group)}) AND {where} ORDER BY _ord""",
        folder / f"rows/{name}.parquet",
    )
    if not rows:
        return None
    has = {"(state)": {"has_states": True}, "(parties)": {"has_parties": True}, "(links)": {"has_links": True}}
    return _change(send, name, rows, **has.get(group, {}))


def write_creates(engine: Engine, side: Side, send: SendTable, there: str, folder: Path) -> SendTable | None:
    """The rows of `send` that are not among those of the query `there` ("row"): new ones, and such as never landed."""
    rows = engine.write_parquet(
        f'SELECT e.* FROM {_source(side, send)} e ANTI JOIN ({there}) t ON t."row" = e._row ORDER BY _ord',
        folder / send.parquet,
    )
    return replace(send, rows=rows, content_hash=f"{rows}:{_content(engine, folder / send.parquet)}") if rows else None


def sealed_table(engine: Engine, send: SendTable, folder: Path) -> SendTable:
    """The send table with the hash of its content, which an approval covers."""
    return replace(send, content_hash=f"{send.rows}:{_content(engine, folder / send.parquet)}")


def _change(send: SendTable, name: str, rows: int, **traits: object) -> SendTable:
    plain: dict[str, object] = {
        "columns": (), "has_parties": False, "has_states": False, "has_files": False, "has_links": False,
    }  # fmt: skip
    return replace(
        send,
        name=name,
        parquet=f"rows/{name}.parquet",
        rows=rows,
        phase="changes",
        is_change=True,
        was_there=False,
        to_send=0,
        **(plain | traits),  # type: ignore[arg-type]
    )


def _own_columns(send: SendTable) -> str:
    return "e.* EXCLUDE (_changed, _version)" if send.was_there else "e.*"


def _owned(names: Sequence[str], present: set[str]) -> str:
    return " AND NOT (x = 'ownerid' AND e.ownerid IS NULL)" if "ownerid" in names and "ownerid" in present else ""


def _kept_lists(kept: Path | None, table: str) -> str:
    if kept is None:
        return _NOBODY
    return f'SELECT "row", list("column") AS columns FROM {read_parquet(kept)} WHERE "table" = {literal(table)} GROUP BY "row"'


def _content(engine: Engine, path: Path) -> str:
    return str(engine.one(f"SELECT coalesce(sum(hash(t))::VARCHAR, '0') FROM {read_parquet(path)} t")[0])


def _source(side: Side, send: SendTable) -> str:
    return read_parquet(side.folder / send.parquet)
