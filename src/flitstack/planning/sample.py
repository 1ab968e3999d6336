"""The sample: a few records of every kind, closed over the parents they point to."""

from pathlib import Path

from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet


def choose_sample(engine: Engine, folder: Path, tables: tuple[SendTable, ...], per_group: int, total: int = 0) -> int:
    """Fill the temporary table `sample` ("table", row) and return how many rows it has.

    From each send table the first `per_group` rows of every object, stage of life (`_action`) and owner kind are taken,
    in load order, so the choice is the same each time. `total` instead: so many rows, one from each in turn until they are
    together, so that small objects are whole and large ones fill the rest. Then every lookup target, party and linked row that is itself planned is
    added, until nothing new comes: a sample row never points outside the sample.
    """
    engine.run('CREATE OR REPLACE TEMP TABLE sample ("table" VARCHAR, "row" UUID)')
    engine.run(
        'CREATE OR REPLACE TEMP TABLE sample_turns (turn BIGINT, place BIGINT, ord BIGINT, "table" VARCHAR, "row" UUID)'
    )
    for place, table in enumerate(tables):
        strata = ["_object", *(["_action"] if table.has_states else [])]
        engine.run(
            f"""
            INSERT INTO sample_turns
            SELECT row_number() OVER (PARTITION BY {", ".join(strata)} ORDER BY _ord) AS turn, {place}, _ord,
                   {literal(table.table)}, _row FROM {_source(folder, table)} QUALIFY turn <= {total or per_group}
            """
        )
    taken = f"ORDER BY turn, place, ord LIMIT {total}" if total else ""
    engine.run(f'INSERT INTO sample SELECT "table", "row" FROM sample_turns {taken}')
    while _add_targets(engine, folder, tables):
        pass
    return int(engine.one("SELECT count(*) FROM sample")[0])


def _add_targets(engine: Engine, folder: Path, tables: tuple[SendTable, ...]) -> int:
    before = int(engine.one("SELECT count(*) FROM sample")[0])
    planned = " UNION ALL ".join(
        f'SELECT {literal(table.table)} AS "table", _row AS "row" FROM {_source(folder, table)}' for table in tables
    )
    for table in tables:
        edges = [
            f'SELECT t.{quoted(column.name + "__table")} AS "table", t.{quoted(column.name)} AS "row" FROM {{chosen}} t'
            for column in table.columns
            if column.is_lookup
        ]
        if table.has_parties:
            edges.append('SELECT p."table", p.id FROM (SELECT unnest(_parties, recursive := true) FROM {chosen}) p')
        if table.has_links:
            edges.append('SELECT l."table", l.id FROM (SELECT unnest(_links, recursive := true) FROM {chosen}) l')
        if not edges:
            continue
        chosen = (
            f'(SELECT s.* FROM {_source(folder, table)} s SEMI JOIN sample c ON c."table" = {literal(table.table)} '
            'AND c."row" = s._row)'
        )
        union = " UNION ".join(edge.format(chosen=chosen) for edge in edges)
        engine.run(
            f'INSERT INTO sample SELECT DISTINCT e."table", e."row" FROM ({union}) e '
            f'SEMI JOIN ({planned}) p ON p."table" = e."table" AND p."row" = e."row" '
            'ANTI JOIN sample c ON c."table" = e."table" AND c."row" = e."row"'
        )
    return int(engine.one("SELECT count(*) FROM sample")[0]) - before


def _source(folder: Path, table: SendTable) -> str:
    return read_parquet(folder / table.parquet)
