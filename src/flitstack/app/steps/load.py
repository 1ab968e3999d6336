"""`flitstack load` and `flitstack retry`: the approved plan is executed; running it again goes on."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from flitstack.app.accounts import accounts_now, rows_by_table
from flitstack.app.gates import now, require
from flitstack.app.local import open_engine, open_journal
from flitstack.app.operators import remember_operator
from flitstack.app.planned import remember_schema
from flitstack.app.project import Project
from flitstack.app.promote import begin_state, finish_state
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.running import run_async
from flitstack.app.snapshots import keep_versions, see_versions, take_fingerprint
from flitstack.app.steps.findings import findings_source
from flitstack.app.steps.reconcile import reconcile_plan
from flitstack.app.steps.report import write_migration_report
from flitstack.app.store import LoadOutcome, load_plan, load_staging, plan_folder
from flitstack.app.subjects import current_gates, plan_missing
from flitstack.app.undoing import planned_before, require_none_begun
from flitstack.app.unsettled import server_limit_s
from flitstack.app.wiring import open_destination
from flitstack.documents import load_json, save_json
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.limits import daily_requests, day_begins
from flitstack.loading.allowance import Allowance
from flitstack.loading.document import LoadDocument, StepResult
from flitstack.loading.load import Load, execute
from flitstack.loading.refusals import save_refusals
from flitstack.loading.rows import make_done_view
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine

# Bodies under way, all together, and how many at most.
MOST_IN_FLIGHT, BODIES_BYTES = 48, 64 << 20


def load(project: Project, progress: Progress, *, only_sample: bool = False) -> Result:
    """Execute the plan, or its sample. Raises GateClosed while a gate before it is shut."""
    plan = load_plan(project, sample=only_sample)
    if plan is None:
        raise UsageError(plan_missing())
    require(current_gates(project), before="owners" if only_sample else "load")
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        require_none_begun(project, journal)
        _refuse_stale(plan, journal)
        remember_schema(project, plan)
        document = run_async(_execute(project, plan, engine, journal, progress, only_sample=only_sample), plan.url)
        if only_sample:
            write_migration_report(project, engine, only_sample=True)
        make_done_view(engine, journal)
        save_refusals(engine, journal, plan, plan_folder(project), project.env_state / "findings" / "load.parquet")
        accounts = accounts_now(engine, project, plan, journal)
        tables = rows_by_table(engine, project, plan)
        if not only_sample:
            finish_state(project, plan, engine, journal, accounts, _counts(project))
        left = {} if only_sample else _records_left(project, engine)
    remember_operator(project, "load --sample" if only_sample else "load")
    outcome = LoadOutcome(plan.sha256, now(), document.seconds, document.requests, tables, document.refused)
    save_json(project.env_state / ("sample-load.json" if only_sample else "load.json"), outcome)
    told = {"load": asdict(document), "tables": tables, "accounts": {} if only_sample else accounts}
    torn = (
        f"the journal's last {journal.torn_bytes} bytes were half written by a crash and were cut"
        if journal.torn_bytes
        else ""
    )
    lines = [line for line in (torn, *lines_of(document, only_sample=only_sample)) if line]
    if only_sample:
        return Result(told, tuple(lines), EXIT_DONE, next="flitstack approve sample")
    staged = load_staging(project)
    lines += left_lines(left, is_delta=staged is not None and staged.number > 0)
    return Result(told, tuple(lines), EXIT_REJECTS if any(left.values()) else EXIT_DONE, next="flitstack reconcile")


def _records_left(project: Project, engine: Engine) -> dict[str, int]:
    """Records without a row of their own, by outcome: held before the load, rejected by the destination."""
    counts = engine.rows(
        f"""SELECT outcome, count(DISTINCT (object, file, record)) FROM {findings_source(project)}
        WHERE outcome IN ('held', 'rejected') GROUP BY outcome"""
    )
    return {str(outcome): int(count) for outcome, count in counts}


def left_lines(left: Mapping[str, int], *, is_delta: bool) -> list[str]:
    """What a person does about records that were left out. `is_delta`: a later export was staged."""
    plan = "flitstack plan --delta" if is_delta else "flitstack plan"
    steps = {"held": f"{plan}, flitstack approve load, flitstack retry", "rejected": "flitstack retry"}
    return [
        f"{outcome}: {left[outcome]:,} records; `flitstack findings --outcome {outcome}` says why; after the fix: {then}"
        for outcome, then in steps.items()
        if left.get(outcome)
    ]


def _refuse_stale(plan: Plan, journal: Journal) -> None:
    """Raise UsageError for a plan that was made before a rollback: it was compared with what stood there then."""
    back = datetime.fromtimestamp(journal.last_rollback_ms() // 1000, UTC)
    if planned_before(plan, back.isoformat()):
        raise UsageError(
            Problem(
                "plan-before-rollback",
                "the plan was made before the last rollback, and what stands in the environment may have changed since",
                where="the plan of this environment",
                do="run: flitstack plan (--delta for a later export); approvals stand where nothing changed",
            )
        )


def retry(project: Project, progress: Progress) -> Result:
    """Load what has no row yet: rejected rows are sent again, held records once a new plan takes them in."""
    return load(project, progress)


async def _execute(
    project: Project, plan: Plan, engine: Engine, journal: Journal, progress: Progress, *, only_sample: bool
) -> LoadDocument:
    destination = open_destination(project)
    try:
        facts = await destination.facts()
        await take_fingerprint(project, plan, destination, journal, engine)
        begin_state(project, plan)
        await see_versions(project, plan, destination, journal, engine)
        users = 1 + len(project.target.more_users)
        options = send_options(facts.parallelism_hint, users, server_limit_s(facts))
        work = Load(plan, plan_folder(project), destination, journal, engine, progress, options)
        work.allowance = _allowance(project, engine, journal, is_emulator=facts.is_emulator)
        document = await execute(work, "load --sample" if only_sample else "load")
        await keep_versions(project, plan, destination, journal, engine)
        if only_sample:
            await reconcile_plan(project, plan, destination, engine, journal, only_sample=True)
        return document
    finally:
        await destination.close()


def send_options(hint: int, users: int, server_limit_s: float) -> SendOptions:
    """Twice the server's hint for each user, since the network takes a part of an answer's time: the pace decides what goes."""
    in_flight = max(2, min(2 * hint * users, MOST_IN_FLIGHT))
    return SendOptions(
        in_flight=in_flight, server_limit_s=server_limit_s, batch_bytes=min(8 << 20, BODIES_BYTES // in_flight)
    )


def _allowance(project: Project, engine: Engine, journal: Journal, *, is_emulator: bool) -> Allowance | None:
    """What of today's requests is left, by the journal. An emulator has no licences: only a budget that was set counts."""
    target = project.target
    if is_emulator and not target.daily_requests:
        return None
    make_done_view(engine, journal)
    begins = day_begins(datetime.now(UTC))
    used = engine.one(f"SELECT count(*) FROM journal_rows WHERE at_ms >= {int(begins.timestamp() * 1000)}")[0]
    return Allowance(target.daily_requests or daily_requests(target.licences), int(used), begins)


def _counts(project: Project) -> dict[str, dict[str, int]]:
    """What the delta's plan said table by table."""
    path = plan_folder(project) / "counts.json"
    return load_json(path, dict[str, dict[str, int]]) if path.exists() else {}


def lines_of(document: LoadDocument, *, only_sample: bool) -> list[str]:
    """What this run did, step by step: a step that found everything landed before is left out. Then its counts and requests."""
    what = "sample: " if only_sample else ""
    lines = [what + _line_of(step) for step in document.steps if step.done or step.refused]
    if not lines:
        lines.append(f"{what}nothing was left to do: all of the plan has landed before")
    if made := sum(count.made for count in document.counts):
        found = sum(count.found for count in document.counts)
        lines.append(f"counted after each phase: {made:,} rows made, {found:,} of them found in the environment")
    asked = f", {document.asked} lost answers settled by asking" if document.asked else ""
    lines.append(
        f"{document.requests:,} requests in {document.seconds:.1f} s, {document.refused:,} rows rejected{asked}"
    )
    if only_sample:
        lines.append("field by field: reports/sample/reconciliation.html")
    return lines


def _line_of(step: StepResult) -> str:
    unit = "operations" if step.kind in {"schema", "revert"} else "rows"
    before = f", {step.before:,} before" if step.before else ""
    refused = f", {step.refused:,} rejected" if step.refused else ""
    return f"{step.phase:<14} {step.kind:<10} {step.table:<24} {step.done:>10,} {unit}{before}{refused}"
