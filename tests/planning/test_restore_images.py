"""Which before-image of several says what a row held before us."""

from pathlib import Path
from uuid import UUID

import orjson
import pytest

from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view
from flitstack.planning.restore import write_images
from flitstack.staging.engine.engine import Engine, read_parquet

ROW = UUID("70000000-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("operation", "first", "counts"),
    [
        (
            Operation.UPDATE,
            Status.REFUSED,
            "B",
        ),  # Ana wrote A, our first try was barred for it, then she corrected it to B
        (
            Operation.UPDATE,
            Status.ABSENT,
            "A",
        ),  # a crash: the first try may have been done, then the second image is ours
        (Operation.UPDATE, Status.LANDED, "A"),
        (Operation.PARTIES, Status.REFUSED, "B"),
        (Operation.STATE, Status.REFUSED, "A"),  # a quote may have been activated before its closing was refused
    ],
)
def test_the_image_of_a_refused_change_is_not_what_the_row_held_before_us(
    module_engine: Engine, tmp_path: Path, operation: Operation, first: Status, counts: str
) -> None:
    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        run = journal.begin_run("plan", "load")
        for value, status in (("A", first), ("B", Status.LANDED)):
            before = orjson.dumps({"_row": str(ROW), "jobtitle": value}) + b"\n"
            batch = journal.intend(0, operation, "contact", ROW.bytes, bytes(8), before)
            journal.settle(Outcome(batch, 1, bytes([status])))
        journal.commit_now()
        journal.refresh()
        make_done_view(module_engine, journal)
        images = write_images(module_engine, journal, [run], {}, tmp_path / "images")
    held = module_engine.rows(f'SELECT "row", "column", value FROM {read_parquet(images["contact"])}')
    assert held == [(ROW, "jobtitle", f'"{counts}"')]
