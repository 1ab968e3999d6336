"""Rows of ours that no record makes any more: the record is gone from the source, goes to another table now, was merged into
another one, or is held. They stay and are listed, unless a decision says otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, UsageError
from flitstack.planning.changes import Side
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal, read_parquet

KEEP, DEACTIVATE, DELETE = "keep", "deactivate", "delete"
# Why a row is made by no record any more.
ABSENT, REROUTED, MERGED, DROPPED, IN_USE = "absent", "rerouted", "merged", "dropped", "in_use"
# A row that was there before us is never ours to close or delete, whatever becomes of the record.
THERE_BEFORE = "there_before"
# What the platform calls the state of a row that is no longer in use.
_INACTIVE = ("Inactive", "Disqualified", "Canceled", "Cancelled", "Retired", "Closed")
_QUALIFIED = (1, 3)  # lead: statecode Qualified, statuscode Qualified


@dataclass(frozen=True, slots=True)
class Policies:
    """keep | deactivate | delete by table, "*" for the others: rows whose record is absent, and rows of rerouted records."""

    absent: Mapping[str, str] = field(default_factory=dict)
    rerouted: Mapping[str, str] = field(default_factory=dict)

    def of(self, why: str, table: str) -> str:
        """What happens to such a row. A lead whose record became something else is never left open by default."""
        if why == REROUTED:
            default = DEACTIVATE if table == "lead" else KEEP
            return self.rerouted.get(table, self.rerouted.get("*", default))
        return self.absent.get(table, self.absent.get("*", KEEP)) if why == ABSENT else KEEP


def find_left(
    engine: Engine, wanted: Side, standing: Sequence[Side], there: Mapping[str, str], staged: str, survivors: str
) -> int:
    """Fill the temporary table `left_rows` (table, send, row, object, file, record, line, beside, why).

    `there`: table -> query ("row") of rows that landed; `staged`: query (object, id) of the snapshot's records;
    `survivors`: relation of the survivor map.
    """
    engine.run(
        'CREATE OR REPLACE TEMP TABLE left_rows ("table" VARCHAR, send VARCHAR, "row" UUID, object VARCHAR, file VARCHAR, '
        "record VARCHAR, line BIGINT, beside BOOLEAN, why VARCHAR)"
    )
    makes = _records(engine, wanted, there)
    tables = dict.fromkeys(name for side in standing for name in side.tables())
    for table in tables:
        now = " UNION ALL ".join(f"SELECT _row FROM {_source(wanted, s)}" for s in wanted.sends(table))
        seen = ""
        for side in standing:
            for send in side.sends(table):
                engine.run(
                    f"""INSERT INTO left_rows
                    SELECT {literal(table)}, {literal(send.name)}, e._row, e._object, e._file, e._record, e._line, e._beside,
                        CASE WHEN {send.was_there} THEN {literal(THERE_BEFORE)}
                             WHEN r.record IS NOT NULL AND NOT e._beside THEN {literal(REROUTED)}
                             WHEN s.loser_id IS NOT NULL THEN {literal(MERGED)}
                             WHEN i.id IS NULL THEN {literal(ABSENT)} ELSE {literal(DROPPED)} END
                    FROM {_source(side, send)} e SEMI JOIN ({there[table]}) t ON t."row" = e._row
                    {f"ANTI JOIN ({now}) n ON n._row = e._row" if now else ""}
                    LEFT JOIN (SELECT DISTINCT object, record FROM ({makes}) WHERE "table" <> {literal(table)}) r
                        ON r.object = e._object AND r.record = e._record
                    LEFT JOIN (SELECT DISTINCT object, loser_id FROM {survivors}) s
                        ON s.object = e._object AND s.loser_id = e._record
                    LEFT JOIN (SELECT DISTINCT object, id FROM ({staged})) i ON i.object = e._object AND i.id = e._record
                    {seen}"""
                )
                seen = 'WHERE e._row NOT IN (SELECT "row" FROM left_rows)'
    return int(engine.one("SELECT count(*) FROM left_rows")[0])


def spare_used(
    engine: Engine, policies: Policies, edited: Sequence[str], wanted: Side, references: Sequence[Path]
) -> None:
    """Rows of `left_rows` that were to be deleted become IN_USE when they were edited (`edited`: queries "row"), or when
    a row that stays points to them (`references`: Parquet row, target; and the parties of rows that are wanted)."""
    tables = [
        str(t)
        for (t,) in engine.rows(
            f'SELECT DISTINCT "table" FROM left_rows WHERE why IN ({literal(ABSENT)}, {literal(REROUTED)})'
        )
    ]
    doomed = " OR ".join(
        f'("table" = {literal(table)} AND why = {literal(why)})'
        for table in tables
        for why in (ABSENT, REROUTED)
        if policies.of(why, table) == DELETE
    )
    if not doomed:
        return
    used = [
        f"SELECT unnest(list_transform(_parties, lambda p: p.id)) FROM {_source(wanted, s)}"
        for s in wanted.plan.tables
        if s.has_parties
    ]
    for query in (*edited, *used):
        engine.run(f'UPDATE left_rows SET why = {literal(IN_USE)} WHERE ({doomed}) AND "row" IN ({query})')
    pointers = " UNION ALL ".join(f"SELECT * FROM {read_parquet(path)}" for path in references)
    while pointers:
        before = _count(engine, doomed)
        engine.run(
            f"""UPDATE left_rows SET why = {literal(IN_USE)} WHERE ({doomed}) AND "row" IN (
                SELECT target FROM ({pointers}) p WHERE p."row" NOT IN (SELECT "row" FROM left_rows WHERE {doomed}))"""
        )
        if _count(engine, doomed) == before:
            return


def _count(engine: Engine, where: str) -> int:
    return int(engine.one(f"SELECT count(*) FROM left_rows WHERE {where}")[0])


def _records(engine: Engine, wanted: Side, there: Mapping[str, str]) -> str:
    """SELECT table, object, record of the rows of records (not those beside) that will be created."""
    parts = []
    for send in wanted.plan.tables:
        landed = there.get(send.table)
        unless = f'ANTI JOIN ({landed}) t ON t."row" = e._row' if landed else ""
        parts.append(
            f'SELECT {literal(send.table)} AS "table", e._object AS object, e._record AS record '
            f"FROM {_source(wanted, send)} e {unless} WHERE NOT e._beside"
        )
    return " UNION ALL ".join(parts) or "SELECT '' AS \"table\", '' AS object, '' AS record WHERE FALSE"


def write_left(
    engine: Engine, live: Table, send: SendTable, source: Path, policies: Policies, folder: Path
) -> list[tuple[str, SendTable]]:
    """Send tables for the rows of one standing send table that do not simply stay: (step kind, table)."""
    made = []
    whys = [
        str(w)
        for (w,) in engine.rows(f"SELECT DISTINCT why FROM left_rows WHERE send = {literal(send.name)} ORDER BY why")
    ]
    for why in whys:
        action = policies.of(why, live.name)
        # Rows beside a record (its sessions, its stub account) follow it only when they are deleted.
        where = f"l.why = {literal(why)}" + ("" if action == DELETE else " AND NOT l.beside")
        state = inactive_state(live, why) if action == DEACTIVATE else None
        if action == KEEP or (action == DEACTIVATE and state is None):
            continue
        act, code, status = state or ("", 0, 0)
        name = f"{send.name}_{why}"
        rows = engine.write_parquet(
            f"""SELECT e._ord, e._row, e._digest, e._object, e._file, e._record, e._line, e._beside,
                {literal(act)} AS _action, {code}::BIGINT AS _state, {status}::BIGINT AS _status,
                NULL::TIMESTAMPTZ AS _state_at, NULL::DECIMAL(38, 4) AS _state_value, NULL::BIGINT AS _version
            FROM {read_parquet(source)} e
            JOIN left_rows l ON l."row" = e._row AND l.send = {literal(send.name)} WHERE {where}
            ORDER BY e._ord {"DESC" if action == DELETE else ""}""",
            folder / f"rows/{name}.parquet",
        )
        if rows:
            table = replace(
                send, name=name, parquet=f"rows/{name}.parquet", rows=rows, phase="left", columns=(), is_change=True,
                has_parties=False, has_files=False, has_links=False, has_states=action == DEACTIVATE,
            )  # fmt: skip
            made.append(("delete" if action == DELETE else "state", table))
    return made


def inactive_state(live: Table, why: str) -> tuple[str, int, int] | None:
    """(action, state, status) of a row that is no longer in use; None where the table knows no such state."""
    if live.name == "lead" and why == REROUTED:
        return ("state", *_QUALIFIED)
    if live.name == "opportunity":
        return ("lose", 2, 4)
    for label in _INACTIVE:
        for state in live.states:
            if state.label == label:
                return ("state", state.value, state.default_status)
    return None


def read_policies(decisions: Mapping[str, object], playbook: Mapping[str, object]) -> Policies:
    """From the decisions `delta_absent` and `delta_rerouted`, else the playbook's `delta: absent, rerouted`: one word for all
    tables, or one by table (`"*"`: the others)."""
    section = playbook.get("delta")
    given = section if isinstance(section, Mapping) else {}
    wanted = {f"delta_{name}": given.get(name) for name in ("absent", "rerouted")} | dict(decisions)
    return Policies(_policy(wanted, "delta_absent"), _policy(wanted, "delta_rerouted"))


def _policy(decisions: Mapping[str, object], name: str) -> dict[str, str]:
    given = decisions.get(name)
    if given is None:
        return {}
    words = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else {"*": str(given)}
    known = (KEEP, DEACTIVATE, DELETE)
    wrong = sorted({word for word in words.values() if word not in known})
    if wrong:
        raise UsageError(
            Problem(
                "option-unknown", f"{wrong[0]!r} is not an option of decision {name}", where="decisions.yaml",
                known=", ".join(known), do=f"choose one of these for {name}, or one by table",
            )
        )  # fmt: skip
    return words


def _source(side: Side, send: SendTable) -> str:
    return read_parquet(side.folder / send.parquet)
