"""Digests of the files an export brought, to be held against what the destination gives back."""

import hashlib
from pathlib import Path

import pyarrow as pa

from flitstack.errors import Problem, StepFailed
from flitstack.staging.document import file_root
from flitstack.staging.engine.engine import Engine

_BLOCK_BYTES = 1 << 20


def register_digests(engine: Engine, export: Path, kept: str, send: str) -> None:
    """Make the temporary table `content_digests` (path, sha256) for the `_content` paths of the relation `send`.

    Raises StepFailed when a file that was attached is no longer in the export.
    """
    paths = [row[0] for row in engine.rows(f"SELECT DISTINCT _content FROM {send} WHERE _content IS NOT NULL")]
    digests = [_sha256(*file_root(export, kept, path)) for path in paths]
    found = pa.table({"path": pa.array(paths, pa.string()), "sha256": pa.array(digests, pa.string())})
    engine.connection.register("content_found", found)
    engine.run("CREATE OR REPLACE TEMP TABLE content_digests AS SELECT * FROM content_found")
    engine.connection.unregister("content_found")


def _sha256(export: Path, name: str) -> str:
    path = (export / name).resolve()
    if not path.is_relative_to(export.resolve()) or not path.is_file():
        raise StepFailed(
            Problem(
                "export-file-missing",
                "a file that was attached is no longer in the export, so it cannot be compared",
                where=name,
                do="put the export folder back as it was staged, then run `flitstack reconcile` again",
            )
        )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
