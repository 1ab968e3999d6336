"""Digests of the files an export brought, to be held against what the destination gives back."""

from pathlib import Path

import pyarrow as pa

from flitstack.documents import file_sha256
from flitstack.errors import Problem, StepFailed
from flitstack.staging.document import exported_file
from flitstack.staging.engine.engine import Engine


def register_digests(engine: Engine, export: Path, kept: str, send: str) -> None:
    """Make the temporary table `content_digests` (path, sha256) for the `_content` paths of the relation `send`.

    Raises StepFailed when a file that was attached is no longer in the export.
    """
    paths = [row[0] for row in engine.rows(f"SELECT DISTINCT _content FROM {send} WHERE _content IS NOT NULL")]
    digests = [_sha256(export, kept, path) for path in paths]
    found = pa.table({"path": pa.array(paths, pa.string()), "sha256": pa.array(digests, pa.string())})
    engine.connection.register("content_found", found)
    engine.run("CREATE OR REPLACE TEMP TABLE content_digests AS SELECT * FROM content_found")
    engine.connection.unregister("content_found")


def _sha256(export: Path, kept: str, name: str) -> str:
    path = exported_file(export, kept, name)
    if path is None:
        raise StepFailed(
            Problem(
                "export-file-missing",
                "a file that was attached is no longer in the export, so it cannot be compared",
                where=name,
                do="put the export folder back as it was staged, then run `flitstack reconcile` again",
            )
        )
    return file_sha256(path)
