"""Takes the files out that stand inside records (engine/inline.py) and keeps them by their content beside the tables."""

from collections.abc import Mapping
from pathlib import Path

from flitstack.documents import save_bytes
from flitstack.packs.types import Pack
from flitstack.staging.document import StagedTable, kept_file
from flitstack.staging.engine.engine import Engine, quoted, read_parquet
from flitstack.staging.engine.inline import find_inline

HOLDING = frozenset(("html", "file"))  # types of fields in which files stand
RECORDS_AT_ONCE = 16


def take_out(engine: Engine, pack: Pack, tables: Mapping[str, StagedTable], work: Path, kept: Path) -> dict[str, int]:
    """Write every file that stands inside a record to `kept`; path below INLINE -> size in bytes."""
    sizes: dict[str, int] = {}
    for name, table in tables.items():
        known = pack.objects[name].fields
        for field in (one.name for one in table.fields):
            if field not in known or known[field].type not in HOLDING:
                continue
            column = quoted(field)
            source = read_parquet(work / table.parquet)
            cells = f"SELECT {column} FROM {source} WHERE has_inline({column})"
            for batch in engine.batches(cells, RECORDS_AT_ONCE):
                for text in batch.column(0).to_pylist():
                    for one in find_inline(text):
                        if one.content is not None and one.path not in sizes:
                            save_bytes(kept_file(kept, one.path), one.content)
                            sizes[one.path] = len(one.content)
    return sizes
