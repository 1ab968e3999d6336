"""Records that are rows of the destination already: such a row is updated, never made a second time.

The playbook says by what rows of a table are known (`upsert: {contact: [email_key(emailaddress1)]}`): expressions over the
table's own columns, read the same way in the mapped record and in the row that is there. The decision `existing_rows` says
what happens to a row that is found; what it held before is journalled, so that a rollback gives it back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, UsageError
from flitstack.planning.changes import Side
from flitstack.planning.document import SendColumn, SendTable
from flitstack.planning.schema import source_key_column
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

DECISION = "existing_rows"
FILL_EMPTY, SOURCE_WINS, KEEP, CREATE = "fill_empty", "source_wins", "keep", "create"
POLICIES = (FILL_EMPTY, SOURCE_WINS, KEEP, CREATE)
PHASE = "changes"
# Whose a row is stays as it is: it was settled in Dynamics, and assigning a row hands its children over along with it, among
# them rows that no before-image is kept of. Which process a row follows is asked when it is made, never after.
_NEVER_SENT = ("ownerid", "processid")
CURRENCY = "transactioncurrencyid"  # of a row: all its money is in it


Texts = Mapping[str, Sequence[str]]  # table -> expressions over its columns, the surest first


def read_upsert(playbook: Mapping[str, Any], decisions: Mapping[str, Any]) -> tuple[Texts, str]:
    """The rules and the decision; no rules where every record is to become a new row. Raises UsageError."""
    policy = str(decisions.get(DECISION) or FILL_EMPTY)
    if policy not in POLICIES:
        raise UsageError(
            Problem(
                "option-unknown", f"decision {DECISION}: {policy}", where="decisions.yaml", known=", ".join(POLICIES),
                do="write one of these",
            )
        )  # fmt: skip
    rules = {str(table): tuple(map(str, keys or ())) for table, keys in (playbook.get("upsert") or {}).items()}
    return ({} if policy == CREATE else rules), policy


def index_name(number: int) -> str:
    """What the index of a table's n-th rule is called."""
    return f"upsert_{number}"


def split_matched(engine: Engine, send: SendTable, matched: Path | None, folder: Path, prefix: str) -> list[SendTable]:
    """The send table without the rows that are there, and one of these alone, still without a word on what is sent."""
    if matched is None:
        return [send]
    path = folder / send.parquet
    name = f"{send.name}_existing"
    twin = folder / f"rows/{name}.parquet"
    source, there = read_parquet(path), read_parquet(matched)
    rows = engine.write_parquet(
        f"""SELECT e.*, []::VARCHAR[] AS _changed, NULL::BIGINT AS _version FROM {source} e
        SEMI JOIN {there} m ON m."row" = e._row ORDER BY e._ord""",
        twin,
    )
    if not rows:
        twin.unlink()
        return [send]
    left = engine.write_parquet(
        f'SELECT e.* FROM {source} e ANTI JOIN {there} m ON m."row" = e._row ORDER BY e._ord', path
    )
    # The key says that a row was made by us: `journal recover` goes by it, and a rollback after that deletes.
    columns = tuple(replace(c, second_pass=False) for c in send.columns if c.name != source_key_column(prefix))
    existing = replace(
        send, name=name, parquet=f"rows/{name}.parquet", rows=rows, columns=columns, phase=PHASE, is_change=True, was_there=True,
        has_parties=False, has_states=False, has_files=False,
    )  # fmt: skip
    return [*([replace(send, rows=left)] if left else []), existing]


@dataclass(frozen=True, slots=True)
class Found:
    """How a table's rows were found: `same` (row, compared, same), `back` the rows as read back, `versions` (row, version),
    `kept`: Parquet (row, columns) of cells that earlier loads of ours filled in rows that nobody edited since."""

    same: Path
    back: Path
    versions: Path
    kept: Path | None = None


def write_wanted(
    engine: Engine, send: SendTable, live: Table, found: Found, policy: str, folder: Path, as_id: Callable[[str], str]
) -> SendTable:
    """Write into the send table which columns of each row are to be sent (`_changed`) and the version it was seen in.

    `as_id`: SQL of an id that was read back. Filled is what the record has and the row has not, or had not before an earlier
    load of ours; money only into a row of the record's currency, or of none.
    """
    path = folder / send.parquet
    columns = [column for column in send.columns if column.name not in _NEVER_SENT and _may_change(live, column)]
    names = [column.name for column in columns]
    has = _listed(names, [f"e.{quoted(name)} IS NOT NULL" for name in names])
    fits = f"coalesce({as_id(f'a.{CURRENCY}')} = e.{CURRENCY}, TRUE)" if CURRENCY in names else "TRUE"
    blank = _listed(names, [_is_blank(live, column, fits) for column in columns])
    ours = "list_contains(coalesce(k.columns, []), x)"
    if policy == FILL_EMPTY:
        wanted = f"list_contains({blank}, x) OR {ours}"
    elif policy == SOURCE_WINS:
        wanted = f"NOT list_contains(coalesce(s.same, []), x) OR {ours}"
    else:
        wanted = ours
    kept = (
        read_parquet(found.kept)
        if found.kept
        else '(SELECT NULL::UUID AS "row", NULL::VARCHAR[] AS columns WHERE FALSE)'
    )
    engine.write_parquet(
        f"""SELECT e.* REPLACE (list_filter({has}, lambda x: {wanted}) AS _changed, v.version AS _version)
        FROM {read_parquet(path)} e
        LEFT JOIN {read_parquet(found.back)} a ON {as_id("a._row")} = e._row
        LEFT JOIN {read_parquet(found.same)} s ON s."row" = e._row
        LEFT JOIN {read_parquet(found.versions)} v ON v."row" = e._row
        LEFT JOIN {kept} k ON k."row" = e._row ORDER BY e._ord""",
        path,
    )
    return replace(send, to_send=changed_rows(engine, path))


def carry_ours(engine: Engine, send: SendTable, standing: Sequence[Side], folder: Path) -> SendTable:
    """Rows that an earlier round found already keep the columns that were ours then; what changes now is a delta's to say."""
    earlier = _stood(standing, send.table)
    path = folder / send.parquet
    engine.write_parquet(
        f"""SELECT e.* REPLACE (CASE WHEN o._row IS NULL THEN e._changed ELSE o._changed END AS _changed)
        FROM {read_parquet(path)} e LEFT JOIN ({earlier}) o ON o._row = e._row ORDER BY e._ord""",
        path,
    )
    return replace(send, to_send=changed_rows(engine, path))


def write_new_matches(
    engine: Engine, wanted: Side, standing: Sequence[Side], send: SendTable, folder: Path
) -> SendTable | None:
    """A delta's update of rows that this round found first; None when there are none with anything to send."""
    name = f"{send.name}_new"
    rows = _write_first_found(engine, wanted, standing, send, folder / f"rows/{name}.parquet", "len(e._changed) > 0")
    if not rows:
        return None
    return replace(
        send, name=name, parquet=f"rows/{name}.parquet", rows=rows, was_there=False, to_send=0, has_links=False
    )


def write_new_links(
    engine: Engine, wanted: Side, standing: Sequence[Side], send: SendTable, folder: Path
) -> SendTable | None:
    """The links of those rows; which of them are there already only the load sees."""
    name = f"{send.name}_new_link"
    rows = _write_first_found(engine, wanted, standing, send, folder / f"rows/{name}.parquet", "len(e._links) > 0")
    return replace(send, name=name, parquet=f"rows/{name}.parquet", rows=rows, columns=(), to_send=0) if rows else None


def _write_first_found(
    engine: Engine, wanted: Side, standing: Sequence[Side], send: SendTable, path: Path, where: str
) -> int:
    return engine.write_parquet(
        f"""SELECT e.* FROM {read_parquet(wanted.folder / send.parquet)} e
        ANTI JOIN ({_stood(standing, send.table)}) o ON o._row = e._row WHERE {where} ORDER BY e._ord""",
        path,
    )


def ours_of(side: Side, table: str) -> str:
    """Query (row, columns): of rows of a table that were there before us, the cells that are ours; "" without such rows."""
    parts = [
        f'SELECT _row AS "row", _changed AS columns FROM {read_parquet(side.folder / send.parquet)}'
        for send in side.sends(table)
        if send.was_there
    ]
    return " UNION ALL ".join(parts)


def extend_ours(engine: Engine, side: Side, table: str, decided: Path) -> None:
    """What a delta writes into rows that were there before us is ours from now on."""
    for send in side.sends(table):
        if not send.was_there:
            continue
        path = side.folder / send.parquet
        names = _text_list([column.name for column in send.columns])
        engine.write_parquet(
            f"""SELECT e.* REPLACE (list_distinct(list_concat(e._changed,
                list_filter(coalesce(d.write, []), lambda x: list_contains({names}, x)))) AS _changed)
            FROM {read_parquet(path)} e
            LEFT JOIN {read_parquet(decided)} d ON d."row" = e._row AND NOT d.is_gone ORDER BY e._ord""",
            path,
        )


def _stood(standing: Sequence[Side], table: str) -> str:
    """SELECT _row, _changed of rows that earlier rounds found; the newest round that has a row counts."""
    parts = []
    for number, side in enumerate(standing):
        for send in side.sends(table):
            source = read_parquet(side.folder / send.parquet)
            if send.was_there:
                parts.append(f"SELECT {number} AS n, _row, _changed FROM {source}")
    listed = " UNION ALL ".join(parts) or "SELECT 0 AS n, NULL::UUID AS _row, NULL::VARCHAR[] AS _changed WHERE FALSE"
    return f"SELECT _row, arg_min(_changed, n) AS _changed FROM ({listed}) GROUP BY _row"


def changed_rows(engine: Engine, path: Path) -> int:
    """Rows of a change's send table that have something to send."""
    return int(engine.one(f"SELECT count(*) FROM {read_parquet(path)} WHERE len(_changed) > 0")[0])


def _may_change(live: Table, column: SendColumn) -> bool:
    there = live.column(column.name)
    return there is None or (there.updatable and live.column(column.read_back) is not None)


def _is_blank(live: Table, column: SendColumn, currency_fits: str) -> str:
    # A column that the load will make first holds nothing yet; one that cannot be read is taken for filled.
    there = live.column(column.read_back)
    fits = currency_fits if column.type == "Money" else "TRUE"
    if there is None:
        return fits
    return f"a.{quoted(column.read_back)} IS NULL AND {fits}" if there.readable else "FALSE"


def _listed(names: Sequence[str], conditions: Sequence[str]) -> str:
    cases = ", ".join(f"CASE WHEN {c} THEN {literal(n)} END" for n, c in zip(names, conditions, strict=True))
    return f"list_filter([{cases}]::VARCHAR[], lambda y: y IS NOT NULL)"


def _text_list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, names))}]::VARCHAR[]"
