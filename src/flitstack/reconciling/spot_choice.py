"""Which records a person looks at by hand: few, of every kind, the same each time for one plan.

Every table gives one, then every route, then every kind of row (file, finding, closed state, refused) with the rarest traits
first, owners in turn. Among equals the plan's hash decides, so nobody picks the pleasant ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.readback import as_uuid
from flitstack.reconciling.tables import Place
from flitstack.staging.engine.engine import Engine, literal, read_parquet

# Between the 25 and 50 that people can look at in an afternoon.
SPOT_RECORDS = 40


@dataclass(frozen=True, slots=True)
class Way:
    """One route of the map: the file of its rows (with `_digest`) and the source field of each column."""

    object: str
    name: str
    table: str
    parquet: Path
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Origins:
    """Where rows come from. `records`: by object, the Parquet file of its records (`_id` and the fields); `findings`:
    Parquet files of what is known about values."""

    routes: Sequence[Way] = ()
    records: Mapping[str, Path] = field(default_factory=dict)
    findings: Sequence[Path] = ()


def choose_spots(engine: Engine, plan: Plan, sends: Sequence[SendTable], origins: Origins, place: Place) -> int:
    """Fill the temporary table `spots` (send, row, object, route, file, record, line, action, file?, codes, outcome);
    returns how many rows they were chosen from. Read-backs of all `sends` must lie in `place.scratch`.
    """
    _flag_records(engine, origins)
    engine.run(
        """CREATE OR REPLACE TEMP TABLE spot_candidates (send VARCHAR, "table" VARCHAR, "row" UUID, object VARCHAR,
           route VARCHAR, file VARCHAR, record VARCHAR, line BIGINT, beside BOOLEAN, owner VARCHAR, action VARCHAR,
           has_file BOOLEAN, codes VARCHAR, outcome VARCHAR, dice VARCHAR, owner_turn BIGINT)"""
    )
    for send in sends:
        engine.run(_candidates(plan, send, origins, place))
    special = "(has_file::INTEGER + (codes <> '')::INTEGER + (action <> '')::INTEGER + (outcome <> 'there')::INTEGER)"
    kind = "send, object, route, beside, action, has_file, codes <> '', outcome"
    engine.run(
        f"""
        CREATE OR REPLACE TEMP TABLE spots AS
        WITH kinds AS (
            SELECT *, {special} AS special,
                   row_number() OVER (PARTITION BY {kind} ORDER BY owner_turn, dice) AS kind_turn FROM spot_candidates
        ), routes AS (
            SELECT *, row_number() OVER (
                PARTITION BY send, object, route, beside ORDER BY kind_turn, special DESC, dice) AS route_turn FROM kinds
        ), tables AS (
            SELECT *, row_number() OVER (PARTITION BY "table" ORDER BY beside, route_turn, special DESC, dice) AS table_turn
            FROM routes
        )
        SELECT * FROM tables
        ORDER BY CASE WHEN table_turn = 1 THEN 0 WHEN beside THEN 10 + table_turn WHEN route_turn = 1 THEN 1
                      WHEN kind_turn = 1 THEN 2 ELSE 2 + table_turn END, special DESC, dice
        LIMIT {SPOT_RECORDS}
        """
    )
    engine.run("DROP TABLE spot_candidates")
    engine.run("DROP TABLE spot_flags")
    return sum(send.rows for send in sends)


def _flag_records(engine: Engine, origins: Origins) -> None:
    """Temporary table `spot_flags` (object, record, codes): records that were loaded although a value of theirs was cut,
    left out or replaced."""
    there = [path for path in origins.findings if path.exists()]
    files = read_parquet(there)
    found = (
        f"""SELECT object, record, string_agg(DISTINCT code, ', ' ORDER BY code) AS codes FROM {files}
            WHERE outcome = 'loaded' GROUP BY object, record"""
        if there
        else "SELECT '' AS object, '' AS record, '' AS codes WHERE FALSE"
    )
    engine.run(f"CREATE OR REPLACE TEMP TABLE spot_flags AS {found}")


def _candidates(plan: Plan, send: SendTable, origins: Origins, place: Place) -> str:
    """INSERT: of every kind of row and every owner the first few in the order of the dice."""
    source = read_parquet(place.plan / send.parquet)
    back = read_parquet(place.scratch / f"{send.table}.parquet")
    owner = "CAST(e.ownerid AS VARCHAR)" if any(c.name == "ownerid" and c.is_lookup for c in send.columns) else "''"
    action = "coalesce(e._action || CASE e._action WHEN 'patch' THEN ' ' || e._state ELSE '' END, '')"
    routes = " UNION ALL ".join(
        f"SELECT _digest, {literal(way.name)} AS route FROM {read_parquet(way.parquet)}"
        for way in origins.routes
        if way.table == send.table and way.parquet.exists()
    )
    named = routes or "SELECT '' AS _digest, '' AS route WHERE FALSE"
    return f"""
        INSERT INTO spot_candidates BY NAME
        SELECT {literal(send.name)} AS send, {literal(send.table)} AS "table", object, route, beside, owner, action,
               has_file, outcome, owner_turn, one.* FROM (
            SELECT *, generate_subscripts(first, 1) AS owner_turn, unnest(first) AS one FROM (
            SELECT object, route, beside, owner, action, has_file, outcome, codes <> '' AS flagged, arg_min(
                {{'row': "row", 'file': file, 'record': record, 'line': line, 'codes': codes, 'dice': dice}},
                dice, {SPOT_RECORDS}) AS first
            FROM (
                SELECT e._row AS "row", e._object AS object, coalesce(n.route, '') AS route, e._file AS file,
                       e._record AS record, e._line AS line, e._beside AS beside, coalesce({owner}, '') AS owner,
                       {action if send.has_states else "''"} AS action,
                       {"e._content IS NOT NULL" if send.has_files else "FALSE"} AS has_file,
                       coalesce(f.codes, '') AS codes,
                       CASE WHEN a._row IS NOT NULL THEN 'there' WHEN r._row IS NOT NULL THEN 'rejected'
                            ELSE 'missing' END AS outcome,
                       md5({literal(plan.sha256)} || e._digest || e._row) AS dice
                FROM {source} e
                LEFT JOIN (SELECT {as_uuid("_row")} AS _row FROM {back}) a ON a._row = e._row
                LEFT JOIN spot_rejected r ON r._row = e._row AND r."table" = {literal(send.table)}
                LEFT JOIN spot_flags f ON f.object = e._object AND f.record = e._record
                LEFT JOIN ({named}) n ON n._digest = e._digest
            ) GROUP BY object, route, beside, owner, action, has_file, outcome, flagged
        ))"""
