"""Match indexes: which row a key means. Built from the records that make rows, the ones merged into them included.

An index is a Parquet file ("key" VARCHAR, digest UUID, "table" VARCHAR, is_ambiguous BOOLEAN), one row a key; `digest`
is a source digest, or the id of a row that the environment has already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from flitstack.mapping.context import MapContext
from flitstack.mapping.program import Program, Way
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet


@dataclass
class Indexes:
    """Builds indexes when they are first asked for. `resolved`: program name -> Parquet of its records (run.py)."""

    engine: Engine
    context: MapContext
    programs: Iterable[Program]
    folder: Path
    survivors: Path
    originals: Mapping[str, str]  # object -> view over its records as they were before merging
    resolved: dict[str, Path] = field(default_factory=dict)
    built: dict[tuple[object, ...], Path] = field(default_factory=dict)

    def relation(self, way: Way) -> str:
        """SQL of the index a way looks into."""
        key = (way.tables, way.via, way.is_live, way.but)
        if key not in self.built:
            path = self.folder / f"index_{len(self.built)}.parquet"
            source = self._live(way) if way.is_live else self._mapped(way)
            # A key that two rows share names neither.
            self.engine.write_parquet(
                f"""SELECT "key", min(digest) AS digest, min("table") AS "table",
                       min(digest) <> max(digest) OR min("table") <> max("table") AS is_ambiguous
                FROM ({source}) WHERE "key" IS NOT NULL GROUP BY "key" """,
                path,
            )
            self.built[key] = path
        return read_parquet(self.built[key])

    def _live(self, way: Way) -> str:
        given = {table: self.context.rows[table].get(way.via, ()) for table in way.tables}
        files = [
            f'SELECT "key", "row" AS digest, {literal(table)} AS "table" FROM {read_parquet(path)}'
            for table, path in given.items()
            if isinstance(path, Path)
        ]
        rows = [(table, *pair) for table, pairs in given.items() if not isinstance(pairs, Path) for pair in pairs]
        columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
        listed = pa.table(
            {name: pa.array(values, pa.string()) for name, values in zip(("table", "key", "row"), columns, strict=True)}
        )
        name = f"map_rows_{len(self.built)}"
        self.engine.connection.register(name, listed)
        return " UNION ALL ".join([f'SELECT "key", CAST("row" AS UUID) AS digest, "table" FROM {name}', *files])

    def _mapped(self, way: Way) -> str:
        selects = []
        for program in self.programs:
            if program.route.table not in way.tables or way.via not in program.matches or program.name == way.but:
                continue
            refused = self._refused(program, way.via)
            for select in self._records(program, way.via):
                selects.append(f"SELECT * FROM ({select}){refused}")
        return (
            " UNION ALL ".join(selects)
            or 'SELECT NULL::VARCHAR AS "key", NULL::UUID AS digest, NULL::VARCHAR AS "table" WHERE FALSE'
        )

    def _records(self, program: Program, via: str) -> Iterable[str]:
        kept = read_parquet(self.resolved[program.name])
        table = literal(program.route.table)
        digest = f'CAST(_digest AS UUID) AS digest, {table} AS "table"'
        yield f'SELECT {quoted("_match_" + via)} AS "key", {digest} FROM {kept} WHERE NOT _is_held'
        original = self.originals.get(program.route.object)
        # A row of a distinct key or of an element is not its record: what else a merged record said is no name of such a row.
        if original is None or program.route.distinct or program.route.each:
            return
        # What any record of a cluster is known by leads to the row of its survivor.
        survivors = f"(SELECT * FROM {read_parquet(self.survivors)} WHERE object = {literal(program.route.object)})"
        cluster = (
            f"SELECT loser_id AS id, loser_file AS file, loser_line AS line, survivor_id FROM {survivors}"
            f" UNION ALL SELECT DISTINCT survivor_id, NULL, NULL, survivor_id FROM {survivors}"
        )
        yield f"""
            SELECT {program.matches[via]} AS "key", {digest}
            FROM (SELECT s.*, c.survivor_id AS _survivor FROM {original} s JOIN ({cluster}) c ON s._id = c.id
                  AND (c.file IS NULL OR (s._file = c.file AND s._line IS NOT DISTINCT FROM c.line))) o
            JOIN (SELECT _record, _digest FROM {kept} WHERE NOT _is_held) k ON k._record = o._survivor"""

    def _refused(self, program: Program, via: str) -> str:
        decision = program.route.not_matching.get(via)
        values = self.context.decisions.get(decision) if decision else None
        if isinstance(values, str):
            values = values.replace(";", ",").split(",")
        listed = ", ".join(literal(str(value).strip().casefold()) for value in values or ())
        return f' WHERE "key" NOT IN ({listed})' if listed else ""
