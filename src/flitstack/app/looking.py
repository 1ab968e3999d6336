"""Looking at the destination before a delta: who edited what since we wrote it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from flitstack.app.edits import versions_folder
from flitstack.app.project import Project
from flitstack.app.snapshots import FEW_ROWS
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.planning.changes import Side, columns_of
from flitstack.planning.delta import Evidence
from flitstack.planning.document import SendTable
from flitstack.reconciling.fingerprint import write_versions
from flitstack.reconciling.readback import read_back
from flitstack.reconciling.sameness import Meant, write_sameness
from flitstack.reconciling.sameness import columns_of as columns_to_look_at
from flitstack.staging.engine.engine import Engine, read_parquet


@dataclass(frozen=True)
class Look:
    """One delta's look. `there`: table -> query ("row") of rows that landed; `kept`: the standing state's kept cells."""

    project: Project
    engine: Engine
    destination: Destination
    wanted: Side
    standing: Sequence[Side]
    there: Mapping[str, str]
    kept: Path | None
    folder: Path

    async def at(self, live: Table, changes: Path) -> Evidence:
        """Read versions of all our rows of a table, then the cells of those that changed on either side."""
        versions = self.folder / f"{live.name}.versions.parquet"
        rows = self.engine.rows(f'SELECT CAST("row" AS VARCHAR) FROM ({self.there[live.name]}) LIMIT {FEW_ROWS + 1}')
        few = [UUID(str(row)) for (row,) in rows] if len(rows) <= FEW_ROWS else None
        await write_versions(self.destination, self.engine, live, few, versions)
        suspects = self.folder / f"{live.name}.suspects.parquet"
        count = self.engine.write_parquet(self._suspects(live.name, changes, versions), suspects)
        as_wanted, as_written = await self._compare(live, suspects, count)
        return Evidence(changes, as_wanted, as_written, self.kept, suspects, versions)

    def _suspects(self, table: str, changes: Path, versions: Path) -> str:
        """SELECT "row" of the rows wanted that are there, as far as we know, and that the source changed or that are another
        version than we left. One that never landed is made by this plan: nobody deleted it."""
        mine = " UNION ALL ".join(
            f"SELECT _row FROM {read_parquet(self.wanted.folder / s.parquet)}" for s in self.wanted.sends(table)
        )
        left = versions_folder(self.project) / f"{table}.parquet"
        known = (
            read_parquet(left) if left.exists() else '(SELECT NULL::UUID AS "row", NULL::BIGINT AS version WHERE FALSE)'
        )
        return f"""
            SELECT c."row" FROM {read_parquet(changes)} c SEMI JOIN ({self.there[table]}) t ON t."row" = c."row"
            UNION
            SELECT m._row FROM ({mine}) m SEMI JOIN ({self.there[table]}) t ON t."row" = m._row
            LEFT JOIN {read_parquet(versions)} n ON n."row" = m._row LEFT JOIN {known} k ON k."row" = m._row
            WHERE n.version IS DISTINCT FROM k.version"""

    async def _compare(self, live: Table, suspects: Path, count: int) -> tuple[Path, list[Path]]:
        sides = [self.wanted, *self.standing]
        meant = [Meant(with_all_columns(side, sides, live.name), side.folder) for side in sides]
        back = self.folder / f"{live.name}.parquet"
        prefix = self.wanted.plan.prefix
        source_key = f"{prefix}_sourcekey" if count > FEW_ROWS and live.column(f"{prefix}_sourcekey") else ""
        wanted = f'SELECT "row" AS _row FROM {read_parquet(suspects)}'
        columns = columns_to_look_at(meant, live)
        await read_back(self.destination, self.engine, live, columns, wanted, source_key, back)
        targets = [self.folder / f"{live.name}.same{place}.parquet" for place in range(len(sides))]
        for place, (side, target) in enumerate(zip(meant, targets, strict=True)):
            write_sameness(self.engine, side, live, back, wanted, target, is_update=place == 0)
        return targets[0], targets[1:]


def with_all_columns(side: Side, sides: Sequence[Side], table: str) -> list[SendTable]:
    """The side's send tables with every column that any side has: an empty column is compared too."""
    known = columns_of(sides, table)
    found = []
    for send in side.sends(table):
        names = {column.name for column in send.columns}
        others = tuple(column for name, column in known.items() if name not in names)
        twins = [twin for other in sides for twin in other.sends(table) if twin.phase == send.phase]
        found.append(
            replace(
                send,
                columns=(*send.columns, *others),
                has_states=any(twin.has_states for twin in twins),
                has_parties=any(twin.has_parties for twin in twins),
            )
        )
    return found
