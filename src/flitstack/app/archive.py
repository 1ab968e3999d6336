"""What the decision `archive_before` keeps back: every such record as CSV and JSON in reports/archive, as the source had it."""

import shutil

from flitstack.app.project import Project
from flitstack.app.store import staged_folder
from flitstack.documents import save_json
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

CODE = "archived"


def write_archive(engine: Engine, project: Project, staged: StagingDocument) -> dict[str, int]:
    """Write the records that deduping excluded as history, with counts; what was written before is replaced.

    Returns the number of records by object.
    """
    folder = project.reports / "archive"
    found = read_parquet(project.state / "findings" / "dedupe.parquet")
    counts = dict(
        engine.rows(f"SELECT object, count(*) FROM {found} WHERE code = '{CODE}' GROUP BY object ORDER BY object")
    )
    shutil.rmtree(folder, ignore_errors=True)
    if not counts:
        return {}
    folder.mkdir(parents=True)
    for name in counts:
        table = staged.tables[name]
        listed = ", ".join(quoted(field.name) for field in table.fields)
        select = (
            f"SELECT {listed} FROM {read_parquet(staged_folder(project) / table.parquet)} s"
            f" SEMI JOIN (SELECT * FROM {found} WHERE code = '{CODE}' AND object = {literal(name)}) f"
            " ON f.file = s._file AND f.record = s._id AND f.line IS NOT DISTINCT FROM s._line ORDER BY _file, _record"
        )
        for ending, form in (("csv", "FORMAT csv, HEADER"), ("json", "FORMAT json, ARRAY true")):
            engine.run(f"COPY ({select}) TO {literal(str(folder / f'{name.lower()}.{ending}'))} ({form})")
    before = project.decisions.get("archive_before")
    save_json(folder / "summary.json", {"archive_before": before, "records": counts})
    return {str(name): int(count) for name, count in counts.items()}
