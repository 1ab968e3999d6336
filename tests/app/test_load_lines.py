"""What `flitstack load` tells of a run: what it did itself, beside what had landed before."""

from flitstack.app.steps.load import left_lines, lines_of
from flitstack.loading.document import LoadDocument, PhaseCount, StepResult


def document(*steps: StepResult, refused: int = 0, counts: tuple[PhaseCount, ...] = ()) -> LoadDocument:
    return LoadDocument("p", 2, steps, refused, 7, 0, 1.25, "2026-01-01T00:00:00Z", counts)


def test_each_step_tells_what_it_did_now_and_what_was_there() -> None:
    step = StepResult(1, "create", "people", "contact", 100, 60, 38, 2, 7, 1.2)
    told = lines_of(
        document(step, refused=2, counts=(PhaseCount("people", "contact", 100, 98, 2, 60, 60),)), only_sample=False
    )
    assert [" ".join(line.split()) for line in told] == [
        "people create contact 60 rows, 38 before, 2 rejected",
        "counted after each phase: 60 rows made, 60 of them found in the environment",
        "7 requests in 1.2 s, 2 rows rejected",
    ]


def test_schema_is_told_in_operations_and_a_sample_names_its_report() -> None:
    told = lines_of(document(StepResult(0, "schema", "schema", "", 5, 5, 0, 0, 5, 1.0)), only_sample=True)
    assert " ".join(told[0].split()) == "sample: schema schema 5 operations"
    assert told[-1] == "field by field: reports/sample/reconciliation.html"


def test_a_run_with_nothing_left_says_so_and_no_step_that_did_nothing() -> None:
    told = lines_of(document(StepResult(1, "create", "people", "contact", 9, 0, 9, 0, 0, 0.0)), only_sample=False)
    assert told == ["nothing was left to do: all of the plan has landed before", "7 requests in 1.2 s, 0 rows rejected"]


def test_records_left_out_are_told_with_what_brings_them_in() -> None:
    held, rejected = left_lines({"held": 3, "rejected": 2}, is_delta=True)
    assert held.startswith("held: 3 records;")
    assert held.endswith("flitstack plan --delta, flitstack approve load, flitstack retry")
    assert rejected.endswith("after the fix: flitstack retry")
    assert left_lines({}, is_delta=False) == []
