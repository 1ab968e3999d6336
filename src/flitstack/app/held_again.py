"""Cells that hold again what they held before: nobody has to give them back, and nobody edited them."""

from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.journal.frames import Operation
from flitstack.planning.restore import LOOKUPS, typed
from flitstack.reconciling.readback import as_uuid
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet


def columns_in(engine: Engine, live: Table, images: Path) -> list[str]:
    """Columns of before-images (planning.restore.write_images) that can be read."""
    names = engine.rows(f'SELECT DISTINCT "column" FROM {read_parquet(images)} ORDER BY 1')
    found = [str(name) for (name,) in names]
    return [name for name in found if (column := live.column(name)) is not None and column.readable]


def leave_what_differs(engine: Engine, live: Table, images: Path, back: Path) -> None:
    """Take such cells out of `images`. `back`: Parquet of what the rows hold now. A state is more than one column, and is left or
    taken as a whole."""
    parts = []
    for name in columns_in(engine, live, images):
        kind = live.columns[name].type
        now = as_uuid(f"a.{quoted(name)}") if kind in LOOKUPS else f"a.{quoted(name)}"
        before = typed(live, name, "json_extract_string(i.value, '$')")
        parts.append(
            f"""SELECT i."row", i."column", i.operation FROM {read_parquet(images)} i
            JOIN {read_parquet(back)} a ON {as_uuid("a._row")} = i."row"
            WHERE i."column" = {literal(name)} AND {before} IS NOT DISTINCT FROM {typed(live, name, now)}"""
        )
    if not parts:
        return
    engine.run(f"CREATE OR REPLACE TEMP TABLE held_again AS {' UNION ALL '.join(parts)}")
    engine.write_parquet(
        f"""SELECT i.* FROM {read_parquet(images)} i
        ANTI JOIN (SELECT "row", "column" FROM held_again WHERE operation <> {Operation.STATE}) h
            ON h."row" = i."row" AND h."column" = i."column"
        ANTI JOIN (SELECT s."row" FROM {read_parquet(images)} s LEFT JOIN held_again h ON h."row" = s."row" AND h."column" = s."column"
            WHERE s.operation = {Operation.STATE} GROUP BY s."row" HAVING count(h."row") = count(*)) w
            ON w."row" = i."row" AND i.operation = {Operation.STATE}""",
        images,
    )
    engine.run("DROP TABLE held_again")
