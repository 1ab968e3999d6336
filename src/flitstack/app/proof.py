"""The proof at the end of a rollback: what was there before the load is as it was, or it is not our doing that it is not.

A row whose hash differs is ours to answer for where the journal says that we wrote into it: then each column that we wrote is
compared with its before-image; a row whose images are lost cannot be given back. A row that we never wrote into, and cells that
keep a later edit, are other people's work.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from flitstack.app.project import Project
from flitstack.app.rounds import State
from flitstack.app.snapshots import fingerprint_folder
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.attempts import Attempts, Counters
from flitstack.loading.before import read_before
from flitstack.planning.restore import write_images, write_lost
from flitstack.reconciling.fingerprint import compare_fingerprints, write_fingerprint
from flitstack.staging.engine.engine import Engine, literal, read_parquet

_AT_ONCE = 500
_TOLD = 1_000


@dataclass
class Proof:
    """One proof. `edited`: cells (table, row, column) that keep a later edit; `others`: rows that differ by other people's work,
    at most a thousand; `lost`: rows that keep what we wrote, since their before-images are lost; `folder`: scratch."""

    project: Project
    engine: Engine
    journal: Journal
    destination: Destination
    edited: Sequence[Mapping[str, str]]
    folder: Path
    others: list[dict[str, str]] = field(default_factory=list)
    lost: list[dict[str, str]] = field(default_factory=list)
    _images: dict[str, Path] | None = None

    async def tables(self, before: State | None) -> dict[str, dict[str, int]]:
        """By table: rows then, of these gone, changed (and not given back), edited by others. `before`: the state that stands
        once only the last round was taken back; what it holds in older rows is meant to be there."""
        found = {}
        images_lost = write_lost(self.engine, self.journal, self.journal.standing_runs(), self.folder / "proof")
        notes = {str(note["table"]): note for note in self.journal.notes("fingerprint")}
        for name, note in notes.items():
            rows = int(note["rows"])
            table = await self.destination.table(name)
            if table is None or not rows:
                found[name] = {"rows": rows, "gone": rows, "changed": 0, "edited": 0}
                continue
            after = self.folder / f"{name}.fingerprint.parquet"
            await write_fingerprint(self.destination, self.engine, table, note["columns"], after)
            earlier = fingerprint_folder(self.project) / f"{name}.parquet"
            differing = self.folder / f"{name}.differing.parquet"
            rows, gone, changed = compare_fingerprints(
                self.engine, earlier, after, differing, made=_made(name), ours=_filled(before, name)
            )
            lost = self._lost_in(name, differing, images_lost)
            mine = await self._not_given_back(table, differing, lost) if changed else 0
            # A fingerprint that was taken after we had written cannot show what was there before.
            is_blind = note.get("is_late", False) and before is None
            unseen = self._lost_in(name, after, images_lost) - lost if is_blind else set[UUID]()
            found[name] = {"rows": rows, "gone": gone, "changed": mine + len(unseen), "edited": changed - mine}
            told = [{"table": name, "row": str(row)} for row in sorted(lost | unseen)]
            self.lost += told[: _TOLD - len(self.lost)]
        return found

    def _lost_in(self, table: str, rows: Path, lost: Path | None) -> set[UUID]:
        """Those of `rows` that hold what we wrote, with nobody to tell what they held before."""
        if lost is None:
            return set()
        found = self.engine.rows(
            f"""SELECT CAST(l."row" AS VARCHAR) FROM {read_parquet(lost)} l SEMI JOIN {read_parquet(rows)} r ON r."row" = l."row"
            WHERE l."table" = {literal(table)}"""
        )
        return {UUID(str(row)) for (row,) in found}

    async def _not_given_back(self, table: Table, differing: Path, lost: set[UUID]) -> int:
        """How many of these rows hold something that we wrote and did not give back; the others are listed."""
        written = self._written(table.name)
        touched = self.engine.rows(
            f'SELECT CAST("row" AS VARCHAR) FROM {read_parquet(differing)} SEMI JOIN ({written}) USING ("row")'
        )
        self._list(table.name, f'SELECT "row" FROM {read_parquet(differing)} ANTI JOIN ({written}) USING ("row")')
        mine = 0
        ids = [UUID(str(row)) for (row,) in touched]
        for start in range(0, len(ids), _AT_ONCE):
            wrong = await self._as_before(table, ids[start : start + _AT_ONCE])
            wrong |= lost.intersection(ids[start : start + _AT_ONCE])
            mine += len(wrong)
            for row in ids[start : start + _AT_ONCE]:
                if row not in wrong and len(self.others) < _TOLD:
                    self.others.append({"table": table.name, "row": str(row)})
        return mine

    async def _as_before(self, table: Table, ids: list[UUID]) -> set[UUID]:
        """Rows of which a column that we wrote holds neither what it held before nor a later edit."""
        if self._images is None:
            runs = self.journal.standing_runs()
            self._images = write_images(self.engine, self.journal, runs, {}, self.folder / "proof")
        images = self._images.get(table.name)
        if images is None:
            return set()
        listed = ", ".join(f"UUID '{row}'" for row in ids)
        kept = {(cell["row"], cell["column"]) for cell in self.edited if cell["table"] == table.name}
        held: dict[UUID, dict[str, Any]] = {}
        for row, column, value in self.engine.rows(
            f'SELECT CAST("row" AS VARCHAR), "column", CAST(value AS VARCHAR) FROM {read_parquet(images)} WHERE "row" IN ({listed})'
        ):
            name = str(column)
            if name in table.columns and table.columns[name].readable and (str(row), name) not in kept:
                held.setdefault(UUID(str(row)), {})[name] = orjson.loads(value) if value is not None else None
        columns = sorted({name for cells in held.values() for name in cells})
        attempts = Attempts(self.destination, Counters(), asyncio.sleep)
        now = (await read_before(attempts, table, columns, list(held))).found
        return {
            row for row, cells in held.items() if any(now.get(row, {}).get(n) != value for n, value in cells.items())
        }

    def _written(self, table: str) -> str:
        """SELECT "row": rows that we wrote into since the fingerprint was taken."""
        runs = ", ".join(map(str, self.journal.standing_runs())) or "-1"
        kinds = (Operation.UPDATE, Operation.STATE, Operation.PARTIES, Operation.LOOKUPS)
        return (
            f'SELECT DISTINCT "row" FROM journal_rows WHERE "table" = {literal(table)} AND run IN ({runs}) '
            f"AND operation IN ({', '.join(str(int(kind)) for kind in kinds)}) AND status <> {Status.REFUSED}"
        )

    def _list(self, table: str, rows: str) -> None:
        found = self.engine.rows(
            f'SELECT CAST("row" AS VARCHAR) FROM ({rows}) ORDER BY 1 LIMIT {_TOLD - len(self.others)}'
        )
        self.others += [{"table": table, "row": str(row)} for (row,) in found]


def _made(table: str) -> str:
    """Rows that we made once: one that an earlier rollback kept is no row of before."""
    return (
        f'SELECT "row" FROM journal_rows WHERE "table" = {literal(table)} AND operation = {Operation.CREATE} '
        f"AND status = {Status.LANDED}"
    )


def _filled(state: State | None, table: str) -> str:
    """SELECT "row" of rows that were there before us and hold something of ours in a state that stands."""
    sends = [send for send in state.whole.tables if send.table == table and send.was_there] if state else []
    if state is None or not sends:
        return 'SELECT NULL::UUID AS "row" WHERE FALSE'
    files = read_parquet((state.folder / send.parquet for send in sends), "union_by_name = true")
    return f'SELECT _row AS "row" FROM {files} WHERE len(_changed) > 0'
