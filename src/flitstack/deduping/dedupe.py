"""Dedupe a staged snapshot: who is the same, who survives, what is only alike."""

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from flitstack.deduping.alike import ALIKE, list_alike, open_lists
from flitstack.deduping.clusters import EDGES, SIGNED
from flitstack.deduping.document import DedupeDocument, MergedTable
from flitstack.deduping.grouping import group_records
from flitstack.deduping.records import (
    LEAVING,
    SOURCE,
    Others,
    Work,
    finding_select,
    list_remarks,
    mark_leaving,
    open_records,
)
from flitstack.deduping.review import MergeDecisions
from flitstack.deduping.rules import ObjectRules, read_rules
from flitstack.deduping.survivors import (
    PLACED,
    borrowed_cells,
    merge_values,
    place_records,
    preference_order,
    surviving_rows,
)
from flitstack.deduping.values import register_rule_values
from flitstack.documents import save_json
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal
from flitstack.staging.engine.findings import FindingsWriter

SURVIVORS = "dedupe_survivors"
SOURCES = "dedupe_sources"
_LISTS = {
    SURVIVORS: "object VARCHAR, loser_file VARCHAR, loser_id VARCHAR, loser_line BIGINT, survivor_id VARCHAR,"
    " cluster BIGINT, rule VARCHAR",
    SOURCES: "object VARCHAR, survivor_id VARCHAR, field VARCHAR, from_id VARCHAR",
    ALIKE: "object VARCHAR, number BIGINT, id VARCHAR, other_id VARCHAR, what VARCHAR",
}


def dedupe(
    pack: Pack,
    staged: StagingDocument,
    staged_folder: Path,
    folder: Path,
    decisions: Mapping[str, Any],
    engine: Engine,
    findings: FindingsWriter,
    signed: MergeDecisions | None = None,
    established: Mapping[str, Path] | None = None,
) -> DedupeDocument:
    """Write the merged tables, the survivor map and the document to `folder`; what was found to `findings`.

    `decisions`: scoping decisions, name -> option. `signed`: what a person decided about single merges.
    `established`: object -> Parquet with `_id` of records that are rows already; they stay survivors, so that a delta
    does not give a row a new source key. Raises UsageError when the pack's rules are wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        name: [*source.fields, *(f.name for f in staged.tables[name].fields)]
        if name in staged.tables
        else [*source.fields]
        for name, source in pack.objects.items()
    }
    rules = read_rules(pack.playbook.get("dedupe") or {}, fields)
    register_rule_values(engine, decisions)
    _open_lists(engine, signed or MergeDecisions())
    others, tables = Others(staged, staged_folder, rules, fields), {}
    for name, table in staged.tables.items():
        parquet = staged_folder / table.parquet
        chosen = rules.get(name, ObjectRules())
        work = open_records(engine, pack.objects[name], chosen, table, parquet, decisions, findings)
        mark_leaving(work, others)
        tables[name] = _dedupe_object(work, parquet, folder, (established or {}).get(name))
    return _save(staged, folder, tables, engine, findings)


def _open_lists(engine: Engine, signed: MergeDecisions) -> None:
    for name, columns in _LISTS.items():
        engine.run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    apart = {pair.sorted() for pair in signed.keep_apart}
    rows = [("keep_apart", pair) for pair in apart] + [
        ("merge", pair.sorted()) for pair in signed.merge if pair.sorted() not in apart
    ]
    engine.run(f"CREATE OR REPLACE TEMP TABLE {SIGNED} (decision VARCHAR, object VARCHAR, a VARCHAR, b VARCHAR)")
    if rows:
        parts = [{"decision": decision, "object": p.object, "a": p.a, "b": p.b} for decision, p in rows]
        engine.connection.register("signed_pairs", pa.Table.from_pylist(parts))
        engine.run(f"INSERT INTO {SIGNED} SELECT decision, object, a, b FROM signed_pairs")
        engine.connection.unregister("signed_pairs")


def _dedupe_object(work: Work, parquet: Path, folder: Path, established: Path | None) -> MergedTable:
    engine = work.engine
    order = preference_order(work, established)
    group_records(work, order)
    place_records(work, order)
    merged = int(engine.one(f"SELECT count(*) FROM {PLACED} WHERE _place > 1")[0])
    left = dict(engine.rows(f"SELECT outcome, count(*) FROM {LEAVING} GROUP BY outcome"))
    list_remarks(work, PLACED)
    open_lists(work)
    flagged = list_alike(work)
    if not merged and not left:
        path = Path(os.path.relpath(parquet, folder)).as_posix()
        records = int(engine.one(f"SELECT count(*) FROM {SOURCE}")[0])
        return MergedTable(work.object, path, records, 0, flagged)
    merge_values(work)
    _list_merges(work)
    for select in borrowed_cells(work):
        engine.run(f"INSERT INTO {SOURCES} {select}")
    records = engine.write_parquet(surviving_rows(work), folder / f"{work.object}.parquet")
    return MergedTable(
        work.object,
        f"{work.object}.parquet",
        records,
        merged,
        flagged,
        left.get("held", 0),
        left.get("excluded", 0),
    )


def _list_merges(work: Work) -> None:
    """SURVIVORS and the findings duplicate_merged, one for every record merged away."""
    joined = (
        f" FROM (SELECT _n, _cluster FROM {PLACED} WHERE _place > 1) loser"
        f" JOIN (SELECT _own_id, _cluster FROM {PLACED} WHERE _place = 1) winner USING (_cluster)"
        f" JOIN (SELECT _n, arg_min(rule, rank) AS rule FROM {EDGES} GROUP BY _n) joined USING (_n)"
        f" JOIN {SOURCE} s USING (_n)"
    )
    work.engine.run(
        f"INSERT INTO {SURVIVORS} SELECT {literal(work.object)}, s._file, s._id, s._line, winner._own_id, _cluster,"
        f" joined.rule{joined}"
    )
    work.findings.add_sql(
        finding_select(
            work,
            "'duplicate_merged'",
            "'merged'",
            "'merged into ' || winner._own_id || ' (same ' || regexp_replace(joined.rule, '^same ', '') || ')'",
            do="'nothing, or write keep apart into reports/merges.xlsx and run: flitstack dedupe'",
        )
        + joined
    )


def _save(
    staged: StagingDocument, folder: Path, tables: dict[str, MergedTable], engine: Engine, findings: FindingsWriter
) -> DedupeDocument:
    engine.write_parquet(f"SELECT * FROM {SURVIVORS} ORDER BY object, cluster, loser_id", folder / "survivors.parquet")
    engine.write_parquet(f"SELECT * FROM {SOURCES} ORDER BY ALL", folder / "sources.parquet")
    engine.write_parquet(
        f"SELECT object, id, other_id, what FROM {ALIKE} ORDER BY object, number", folder / "alike.parquet"
    )
    document = DedupeDocument(
        staged=staged.fingerprint,
        fingerprint=_fingerprint(staged, engine, findings),
        tables=tables,
        survivors="survivors.parquet",
        sources="sources.parquet",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_json(folder / "document.json", document)
    return document


def _fingerprint(staged: StagingDocument, engine: Engine, findings: FindingsWriter) -> str:
    """sha256 over the staged fingerprint, every merge and every record excluded by rule."""
    digest = hashlib.sha256(staged.fingerprint.encode())
    # Length-prefixed by JSON, so that no two lists give the same bytes.
    listed = (
        f"SELECT to_json([object, loser_id, survivor_id])::VARCHAR AS line FROM {SURVIVORS}"
        f" UNION ALL SELECT to_json([object, record, code])::VARCHAR FROM {findings.table} WHERE outcome = 'excluded'"
        " ORDER BY line"
    )
    for batch in engine.batches(listed, 10_000):
        for line in batch.column(0).to_pylist():
            digest.update(line.encode())
    return digest.hexdigest()
