"""The records of one object as deduping sees them, and those that leave before anything is compared."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.deduping.rules import Flag, Membership, ObjectRules
from flitstack.packs.types import SourceObject
from flitstack.staging.document import StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

# A record's number inside its staged file: unique, stable, cheap to join on.
SOURCE = "dedupe_source"
LEAVING = "dedupe_leaving"
REMARKS = "dedupe_remarks"
ARCHIVE_BEFORE = "archive_before"  # the decision
ARCHIVED = "archived"  # the finding


@dataclass(frozen=True, slots=True)
class Work:
    """One object on its way through deduping. `columns` are the staged fields, provenance not among them."""

    engine: Engine
    object: str
    rules: ObjectRules
    columns: tuple[str, ...]
    key_fields: tuple[str, ...]  # () when no file has all of them
    decisions: Mapping[str, Any]
    findings: FindingsWriter
    source: SourceObject


@dataclass(frozen=True)
class Others:
    """All objects, for rules that look into another one. `fields`: by object, the declared and the staged ones."""

    staged: StagingDocument
    folder: Path
    rules: Mapping[str, ObjectRules]
    fields: Mapping[str, Sequence[str]]

    def rows(self, name: str) -> str:
        """SQL of an object's records with every field of its: an absent one would be read from whatever asks."""
        table = self.staged.tables[name]
        present = {field.name.casefold() for field in table.fields}
        return f"(SELECT *{_blanks(self.fields[name], present)} FROM {read_parquet(self.folder / table.parquet)})"


def open_records(
    engine: Engine,
    source: SourceObject,
    rules: ObjectRules,
    staged: StagedTable,
    parquet: Path,
    decisions: Mapping[str, Any],
    findings: FindingsWriter,
) -> Work:
    """Lay the view `SOURCE` over the staged file: `_n`, provenance, staged columns, absent fields as NULL."""
    columns = tuple(field.name for field in staged.fields)
    present = {name.casefold() for name in columns}
    blanks = _blanks(source.fields, present)
    engine.run(
        f"CREATE OR REPLACE TEMP VIEW {SOURCE} AS SELECT file_row_number AS _n, * EXCLUDE (file_row_number){blanks}"
        f" FROM {read_parquet(parquet, 'file_row_number = true')}"
    )
    keys = (source.key, *source.also_key)
    key_fields = keys if all(key.casefold() in present for key in keys) else ()
    return Work(engine, source.name, rules, columns, key_fields, decisions, findings, source)


def _blanks(fields: Iterable[str], present: Collection[str]) -> str:
    absent = {name.casefold(): name for name in fields if name.casefold() not in present}
    return "".join(f", NULL::VARCHAR AS {quoted(name)}" for name in absent.values())


def finding_select(
    work: Work, code: str, outcome: str, what: str, *, field: str = "''", shape: str = "''", do: str = "''"
) -> str:
    """The select list of a finding about `s` (a row of SOURCE); the arguments are SQL expressions."""
    return (
        f"SELECT {code} AS code, {literal(work.object)} AS object, s._file AS file, s._id AS record, s._line AS line,"
        f' {field} AS field, {outcome} AS outcome, {shape} AS shape, {what} AS what, {do} AS "do"'
    )


def mark_leaving(work: Work, others: Others) -> None:
    """Fill LEAVING (held and excluded records) and REMARKS (flags on records that stay), with the leavers' findings."""
    engine = work.engine
    shape = "_n BIGINT, rank INTEGER, code VARCHAR, outcome VARCHAR, field VARCHAR, what VARCHAR, remedy VARCHAR"
    engine.run(f"CREATE OR REPLACE TEMP TABLE {REMARKS} ({shape})")
    _mark_required(work)
    for rank, flag in enumerate(work.rules.flags, start=1):
        _mark_flag(work, flag, rank, others)
    mark_archived(work, others)
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {LEAVING} AS SELECT _n, arg_min(outcome, rank) AS outcome FROM {REMARKS}"
        " WHERE outcome IN ('held', 'excluded') GROUP BY _n"
    )
    work.findings.add_sql(
        finding_select(
            work, "r.code", "r.outcome", "r.what", field="r.field", shape=_shape_of_field(work), do="r.remedy"
        )
        + f" FROM {REMARKS} r JOIN {SOURCE} s USING (_n) WHERE r.outcome IN ('held', 'excluded')"
    )


def list_remarks(work: Work, losers: str) -> None:
    """Findings of the flags that only remark, for records that neither left nor were merged away."""
    work.findings.add_sql(
        finding_select(
            work, "r.code", "r.outcome", "r.what", field="r.field", shape=_shape_of_field(work), do="r.remedy"
        )
        + f" FROM {REMARKS} r JOIN {SOURCE} s USING (_n) WHERE r.outcome = 'listed'"
        f" AND _n NOT IN (SELECT _n FROM {LEAVING}) AND _n NOT IN (SELECT _n FROM {losers} WHERE _place > 1)"
    )


def _mark_required(work: Work) -> None:
    required = work.rules.required
    if required is None:
        return
    field = quoted(required.field)
    work.engine.run(
        f"INSERT INTO {REMARKS} SELECT _n, 0, CASE WHEN clean({field}) IS NULL THEN {literal(required.missing)}"
        f" ELSE {literal(required.unreadable)} END, 'held', {literal(required.field)},"
        f" CASE WHEN clean({field}) IS NULL THEN 'the field that identifies the record is empty'"
        " ELSE 'the field that identifies the record cannot be read' END,"
        " 'correct the value in the source and export again, or leave the record out'"
        f" FROM {SOURCE} WHERE ({required.key}) IS NULL"
    )


def _mark_flag(work: Work, flag: Flag, rank: int, others: Others) -> None:
    conditions = [f"coalesce(({flag.when}), FALSE)"] if flag.when else []
    conditions += [_among(one, others) for one in flag.among if one.object in others.staged.tables]
    if not conditions:
        return
    excluded = flag.excluded_by and str(work.decisions.get(flag.excluded_by, "")).casefold() == "exclude"
    outcome = "excluded" if excluded else flag.outcome
    told = ", ".join(literal(text) for text in (flag.code, outcome, flag.field, flag.what, flag.do))
    work.engine.run(f"INSERT INTO {REMARKS} SELECT _n, {rank}, {told} FROM {SOURCE} WHERE {' OR '.join(conditions)}")


def mark_archived(work: Work, others: Others) -> None:
    """Records before the date of the decision: excluded by rule; the step writes them to the archive."""
    before, archive = str(work.decisions.get(ARCHIVE_BEFORE) or ""), work.rules.archive
    if not before or archive is None:
        return
    conditions = [_is_history(archive.dates, work.decisions, before)] if archive.dates else []
    for one in archive.among:
        theirs = others.rules.get(one.object, ObjectRules()).archive
        table = others.staged.tables.get(one.object)
        present = {field.name.casefold() for field in table.fields} if table else set()
        dates = [date for date in theirs.dates if date.casefold() in present] if theirs else []
        if table and dates:
            history = _is_history(dates, work.decisions, before)
            conditions.append(f"({one.value}) IN (SELECT {one.theirs} FROM {others.rows(one.object)} WHERE {history})")
    what = literal(f"before {before}: kept in the archive, not moved")
    do = literal(f"nothing, or move it: change {ARCHIVE_BEFORE} in decisions.yaml, then flitstack dedupe")
    field = literal(archive.dates[0] if archive.dates else "")
    work.engine.run(
        f"INSERT INTO {REMARKS} SELECT _n, {1 + len(work.rules.flags)}, '{ARCHIVED}', 'excluded', {field}, {what}, {do}"
        f" FROM {SOURCE} WHERE {' OR '.join(conditions) or 'FALSE'}"
    )


def _is_history(dates: Sequence[str], decisions: Mapping[str, Any], before: str) -> str:
    """SQL: the latest of these dates lies before the day; a record without any date that can be read is no history."""
    order = literal(str(decisions.get("date_order") or "DMY"))
    zone = literal(str(decisions.get("timezone") or "UTC"))
    read = ", ".join(f"to_datetime({quoted(date)}, {order}, {zone})" for date in dates)
    limit = f"timezone({zone}, TIMESTAMP {literal(before)})"
    return f"coalesce(greatest({read}) < {limit}, FALSE)"


def _among(one: Membership, others: Others) -> str:
    return (
        f"({one.value}) IN (SELECT {one.theirs} FROM {others.rows(one.object)} WHERE ({one.theirs}) IS NOT NULL"
        f" GROUP BY 1 HAVING count(*) >= {one.at_least})"
    )


def _shape_of_field(work: Work) -> str:
    dates = work.rules.archive.dates[:1] if work.rules.archive else ()
    named = (
        {flag.field for flag in work.rules.flags}
        | {*dates}
        | {work.rules.required.field if work.rules.required else ""}
    )
    cases = "".join(f" WHEN {literal(name)} THEN shape(s.{quoted(name)})" for name in sorted(named) if name)
    return f"coalesce(CASE r.field{cases} END, '')" if cases else "''"
