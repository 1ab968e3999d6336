"""Files whose bytes are others than those that were sent, though path and size are as they were."""

import hashlib
from pathlib import Path

import pyarrow as pa
import xxhash

from flitstack.planning.changes import Side, rows_of, standing_rows
from flitstack.staging.document import exported_file
from flitstack.staging.engine.engine import Engine, literal

_FILES_AT_ONCE = 10_000
_NAMES = ("_content", "_content_size")


def find_other_contents(engine: Engine, table: str, wanted: Side, standing: list[Side], sent: str) -> str:
    """Make the temporary table `other_contents` ("row") of a table's rows; returns a query of it.

    `sent`: query ("row", hash) of the file each row was sent last, xxh3_64 of its bytes as 8 bytes; a row that it does not
    know is among them when it stands with a file: nobody can tell. Every file of a standing row is read once.
    """
    engine.run('CREATE OR REPLACE TEMP TABLE other_contents ("row" UUID)')
    if any(send.has_files for side in (wanted, *standing) for send in side.sends(table)):
        new, old = rows_of(engine, wanted, table, _NAMES), standing_rows(engine, standing, table, _NAMES)
        engine.run(
            f"""CREATE OR REPLACE TEMP TABLE same_sizes AS SELECT n._row AS "row", n._content AS path, s.hash
            FROM ({new}) n JOIN ({old}) o ON o._row = n._row LEFT JOIN ({sent}) s ON s."row" = n._row
            WHERE n._content IS NOT NULL AND n._content_size IS NOT DISTINCT FROM o._content_size"""
        )
        last = ""
        while paths := _paths_after(engine, last):
            _compare(engine, wanted, paths)
            last = paths[-1]
        engine.run("DROP TABLE same_sizes")
    return 'SELECT "row" FROM other_contents'


def _paths_after(engine: Engine, last: str) -> list[str]:
    sql = f"SELECT DISTINCT path FROM same_sizes WHERE path > {literal(last)} ORDER BY path LIMIT {_FILES_AT_ONCE}"
    return [str(path) for (path,) in engine.rows(sql)]


def _compare(engine: Engine, wanted: Side, paths: list[str]) -> None:
    hashes = [_hash(exported_file(Path(wanted.plan.export), wanted.plan.kept, path)) for path in paths]
    now = pa.table({"path": pa.array(paths, pa.string()), "hash": pa.array(hashes, pa.binary())})
    engine.connection.register("contents_now", now)
    engine.run(
        """INSERT INTO other_contents SELECT s."row" FROM same_sizes s JOIN contents_now c ON c.path = s.path
        WHERE s.hash IS DISTINCT FROM c.hash"""
    )
    engine.connection.unregister("contents_now")


def _hash(path: Path | None) -> bytes | None:
    """None for what is not there: the load refuses it by name."""
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_64).digest()
