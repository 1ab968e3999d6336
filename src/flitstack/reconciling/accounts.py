"""The closed account of every source object: each record counts once, by its worst row."""

from collections.abc import Mapping
from pathlib import Path

from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.document import Account
from flitstack.reconciling.readback import as_uuid
from flitstack.staging.engine.engine import Engine, literal, read_parquet


class Ledger:
    """Collects, table by table, what became of each record's rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.run(
            """CREATE OR REPLACE TEMP TABLE record_rows
               (object VARCHAR, record VARCHAR, "table" VARCHAR, outcome VARCHAR, severity INTEGER, beside BOOLEAN)"""
        )

    def add(self, plan: Plan, folder: Path, send: SendTable, back: Path) -> None:
        """Note the rows of one send table. `rejected_rows` must hold the table's rejected ids."""
        is_update = any(step.kind == "update" and step.send == send.name for step in plan.steps)
        done = literal("updated" if is_update else "created")
        if send.was_there:
            done = """CASE WHEN len(e._changed) = 0 THEN 'unchanged' WHEN r._row IS NOT NULL THEN 'rejected' ELSE 'updated' END"""
        self._engine.run(
            f"""
            INSERT INTO record_rows
            SELECT e._object, e._record, {literal(send.table)},
                   CASE WHEN a._row IS NOT NULL THEN {done}
                        WHEN r._row IS NOT NULL THEN 'rejected' ELSE 'missing' END AS outcome,
                   CASE outcome WHEN 'missing' THEN 4 WHEN 'rejected' THEN 3 WHEN 'created' THEN 2 WHEN 'updated' THEN 1 ELSE 0 END,
                   e._beside
            FROM {read_parquet(folder / send.parquet)} e
            LEFT JOIN (SELECT {as_uuid("_row")} AS _row FROM {read_parquet(back)}) a ON a._row = e._row
            LEFT JOIN rejected_rows r ON r._row = e._row
            """
        )

    def accounts(self, planned: Mapping[str, Mapping[str, int]]) -> dict[str, Account]:
        """One account an object of the plan. `planned`: see `Plan.accounts`."""
        worst = self._engine.rows(
            """SELECT object, outcome, count(*) FROM (
                   SELECT object, record, arg_max(outcome, severity) AS outcome FROM record_rows
                   WHERE NOT beside GROUP BY object, record
               ) GROUP BY object, outcome"""
        )
        counts: dict[str, dict[str, int]] = {}
        for object_name, outcome, count in worst:
            counts.setdefault(object_name, {})[outcome] = count
        return {name: _account(before, counts.get(name, {})) for name, before in sorted(planned.items())}

    def derived(self) -> dict[str, int]:
        """Rows beyond one a record (a second route, a stub, single sessions), by table."""
        rows = self._engine.rows(
            """SELECT "table", count(*) FROM (
                   SELECT "table", beside, row_number() OVER (PARTITION BY object, record ORDER BY beside, "table") AS place
                   FROM record_rows
               ) WHERE place > 1 OR beside GROUP BY "table" ORDER BY "table" """
        )
        return dict(rows)


def _account(before: Mapping[str, int], after: Mapping[str, int]) -> Account:
    return Account(
        read=before.get("read", 0),
        created=after.get("created", 0),
        updated=after.get("updated", 0),
        merged=before.get("merged", 0),
        unchanged=before.get("unchanged", 0) + after.get("unchanged", 0),
        held=before.get("held", 0),
        rejected=after.get("rejected", 0),
        excluded=before.get("excluded", 0),
        missing=after.get("missing", 0),
    )
