"""What a rollback gives back: cells, parties and states of rows that stay, and rows that a delta deleted."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from flitstack.app.edits import versions_folder
from flitstack.app.held_again import columns_in, leave_what_differs
from flitstack.app.looking import with_all_columns
from flitstack.app.project import Project
from flitstack.app.rounds import State
from flitstack.app.store import plan_folder
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.planning.build import plan_steps
from flitstack.planning.changes import Side
from flitstack.planning.delta import sealed_table
from flitstack.planning.document import SendTable
from flitstack.planning.instances import stage_by_stage
from flitstack.planning.restore import (
    Restoring,
    records_of,
    restore_tables,
    with_dropped,
    write_images,
    write_not_restored,
)
from flitstack.planning.restore_links import (
    files_back,
    linked_rows,
    links_back,
    replaced_files,
    unlinked,
    write_made_links,
)
from flitstack.reconciling.comparing import CLOSED_STATES
from flitstack.reconciling.contents import register_digests
from flitstack.reconciling.fingerprint import write_versions
from flitstack.reconciling.readback import CONTENT, as_uuid, read_back
from flitstack.reconciling.sameness import Meant, columns_of, write_sameness
from flitstack.staging.engine.engine import Engine, literal, read_parquet


@dataclass
class Restore:
    """`runs`: the journal's runs that are taken back; `states`: what stands first; `without`: table -> rows that are deleted anyway;
    `only`: table -> query ("row") of the rows it is about, of these tables alone; `label` ends the names of its send tables."""

    project: Project
    engine: Engine
    journal: Journal
    destination: Destination
    states: Sequence[State]
    runs: Sequence[int]
    without: Mapping[str, str]
    only: Mapping[str, str] | None = None
    label: str = ""
    edited: list[dict[str, str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Scratch of this rollback."""
        return self.project.env_state / "rollback" / "images"

    async def tables(self) -> list[tuple[str, SendTable]]:
        """Step kinds and send tables (below the plan's folder) that give back what rows held before these runs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        images = write_images(self.engine, self.journal, self.runs, self.without, self.folder)
        made: list[tuple[str, SendTable]] = []
        for name, path in images.items():
            if self.only is not None:
                rows = self.only.get(name, 'SELECT NULL::UUID AS "row" WHERE FALSE')
                self.engine.write_parquet(
                    f'SELECT i.* FROM {read_parquet(path)} i SEMI JOIN ({rows}) o USING ("row")', path
                )
            live = await self.destination.table(name)
            if live is not None and self.engine.one(f"SELECT count(*) FROM {read_parquet(path)}")[0]:
                made += await self._table(live, path)
        order = ("state", "update", "parties")
        # Everything is reopened before it is changed, and closed after: the closing tables go last.
        return sorted(made, key=lambda entry: 3 if entry[1].name.startswith("close_") else order.index(entry[0]))

    async def _table(self, live: Table, images: Path) -> list[tuple[str, SendTable]]:
        sides = [side for s in self.states for side in (Side(s.whole, s.folder), Side(s.left, s.folder))]
        meant = [Meant(with_all_columns(side, sides, live.name), side.folder) for side in sides]
        wanted = f'SELECT DISTINCT "row" AS _row FROM {read_parquet(images)}'
        back = self.folder / f"{live.name}.back.parquet"
        columns = list(dict.fromkeys((*columns_of(meant, live), *columns_in(self.engine, live, images))))
        await read_back(self.destination, self.engine, live, columns, wanted, "", back)
        leave_what_differs(self.engine, live, images, back)
        parts = []
        for number, side in enumerate(meant):
            parts.append(self.folder / f"{live.name}.same{number}.parquet")
            write_sameness(self.engine, side, live, back, wanted, parts[-1], is_update=False)
        records = records_of([(side.folder, send) for side in sides for send in side.sends(live.name)])
        found = self.project.env_state / "matched" / f"{live.name}.parquet"
        if found.exists():
            records = with_dropped(records, found)
            parts.append(await self._dropped(live, images, found, parts))
        same = self.folder / f"{live.name}.same.parquet"
        listed = " UNION ALL ".join(
            f"SELECT *, {place} AS place FROM {read_parquet(part)}" for place, part in enumerate(parts)
        )
        self.engine.write_parquet(
            f"""SELECT "row", arg_min(compared, place) AS compared, list_distinct(flatten(list(same))) AS same
            FROM ({listed}) GROUP BY "row" """,
            same,
        )
        actions = {state: action for (action, table), state in CLOSED_STATES.items() if table == live.name}
        work = Restoring(live, images, same, records, actions, self.label)
        edited = self.folder / f"{live.name}.edited.parquet"
        if write_not_restored(self.engine, work, edited):
            rows = self.engine.rows(
                f"""SELECT {literal(live.name)}, CAST(d."row" AS VARCHAR), 'edited', r._object, r._file, r._record, d."column"
                FROM {read_parquet(edited)} d JOIN ({records}) r ON r._row = d."row" ORDER BY ALL"""
            )
            names = ("table", "row", "why", "object", "file", "record", "column")
            self.edited += [dict(zip(names, row, strict=True)) for row in rows]
        made = restore_tables(self.engine, work, plan_folder(self.project))
        if not live.is_process:
            return made
        folder = plan_folder(self.project)
        return [
            (kind, part)
            for kind, send in made
            for part in (stage_by_stage(self.engine, send, sides, folder) if kind == "update" else [send])
        ]

    async def _dropped(self, live: Table, images: Path, found: Path, parts: Sequence[Path]) -> Path:
        """The sameness of rows that were there before us, were written into, and belong to no record of the plan any more: all
        cells are ours while the row is the version that the load left."""
        target, now = (
            self.folder / f"{live.name}.dropped.parquet",
            self.folder / f"{live.name}.dropped-versions.parquet",
        )
        told = " UNION ALL ".join(f'SELECT "row" FROM {read_parquet(part)}' for part in parts)
        rows = f'SELECT DISTINCT "row" FROM {read_parquet(found)} WHERE "row" IN (SELECT "row" FROM {read_parquet(images)}) AND "row" NOT IN ({told})'
        ids = [UUID(str(row)) for (row,) in self.engine.rows(f'SELECT CAST("row" AS VARCHAR) FROM ({rows})')]
        await write_versions(self.destination, self.engine, live, ids, now)
        left = versions_folder(self.project) / f"{live.name}.parquet"
        known = (
            read_parquet(left) if left.exists() else '(SELECT NULL::UUID AS "row", NULL::BIGINT AS version WHERE FALSE)'
        )
        self.engine.write_parquet(
            f"""SELECT d."row", CASE WHEN n.version = l.version THEN [] ELSE i.columns END AS compared, []::VARCHAR[] AS same
            FROM ({rows}) d JOIN {read_parquet(now)} n ON n."row" = d."row" LEFT JOIN {known} l ON l."row" = d."row"
            JOIN (SELECT "row", list("column") AS columns FROM {read_parquet(images)} GROUP BY "row") i ON i."row" = d."row" """,
            target,
        )
        return target

    def made_links(self) -> list[tuple[str, SendTable]]:
        """Links that these runs made of rows which were there before us: they go, and no other."""
        made = write_made_links(self.engine, self.journal, self.runs, self.folder)
        return unlinked(self.engine, made, plan_folder(self.project))

    async def links_and_files(self, before: State, left: Sequence[State]) -> list[tuple[str, SendTable]]:
        """Links and files of rows that stay, as the round before left them; a file that somebody replaced since stays. `left`: what
        the round left, or meant to leave each time it was begun."""
        was, made = Side(before.whole, before.folder), list[tuple[str, SendTable]]()
        for number, state in enumerate(left):
            now = Side(state.whole, state.folder)
            for name in now.tables():
                tried = linked_rows(name, self.runs, self.without.get(name, ""))
                made += links_back(self.engine, name, was, now, tried, plan_folder(self.project), f"{number or ''}")
        for name in CONTENT:
            rows = replaced_files(name, self.runs, self.without.get(name, ""))
            if self.engine.one(f"SELECT count(*) FROM ({rows})")[0]:
                own = await self._own_files(name, rows, [before, *left])
                made += files_back(self.engine, name, was, own, plan_folder(self.project))
        return made

    async def _own_files(self, name: str, rows: str, states: Sequence[State]) -> str:
        """SELECT _row of those rows whose file is one we sent, by some of the states; the others are listed as edited."""
        live = await self.destination.table(name)
        if live is None:
            return f"SELECT _row FROM ({rows}) WHERE FALSE"
        back = self.folder / f"{name}.files.parquet"
        await read_back(self.destination, self.engine, live, [CONTENT[name]], rows, "", back)
        parts = []
        for number, state in enumerate(states):
            sends = [send for send in state.whole.tables if send.table == name and send.has_files]
            if not sends:
                continue
            listed = read_parquet((state.folder / send.parquet for send in sends), "union_by_name = true")
            sent = f"(SELECT e.* FROM {listed} e SEMI JOIN ({rows}) r ON r._row = e._row)"
            register_digests(self.engine, Path(state.whole.export), state.whole.kept, sent)
            parts.append(f"SELECT * FROM {read_parquet(self.folder / f'{name}.files{number}.parquet')}")
            self.engine.write_parquet(
                f"""SELECT e._row, e._object, e._file, e._record, a.{CONTENT[name]} IS NOT DISTINCT FROM d.sha256 AS is_own
                FROM {sent} e JOIN {read_parquet(back)} a ON {as_uuid("a._row")} = e._row
                LEFT JOIN content_digests d ON d.path = e._content""",
                self.folder / f"{name}.files{number}.parquet",
            )
        if not parts:
            return f"SELECT _row FROM ({rows}) WHERE FALSE"
        self.engine.run(
            f"""CREATE OR REPLACE TEMP TABLE sent_files AS
            SELECT _row, any_value(_object) AS _object, any_value(_file) AS _file, any_value(_record) AS _record,
                bool_or(is_own) AS is_own FROM ({" UNION ALL ".join(parts)}) GROUP BY _row"""
        )
        for row in self.engine.rows(
            "SELECT CAST(_row AS VARCHAR), _object, _file, _record FROM sent_files WHERE NOT is_own"
        ):
            names = ("table", "row", "why", "object", "file", "record", "column")
            values = (name, row[0], "edited", *row[1:], "(file)")
            self.edited.append(dict(zip(names, values, strict=True)))
        return "SELECT _row FROM sent_files WHERE is_own"

    def deleted(self, before: State) -> list[tuple[str, SendTable]]:
        """Rows that these runs deleted, to be made again as the state before held them."""
        runs = ", ".join(map(str, self.runs)) or "-1"
        made: list[SendTable] = []
        for number, send in enumerate(before.whole.tables):
            gone = (
                f'SELECT "row" FROM journal_rows WHERE "table" = {literal(send.table)} AND status = {Status.LANDED} '
                f"AND operation = {Operation.DELETE} AND run IN ({runs})"
            )
            name = f"rollback/again_{number:02d}_{send.table}.parquet"
            rows = self.engine.write_parquet(
                f'SELECT e.* FROM {read_parquet(before.folder / send.parquet)} e SEMI JOIN ({gone}) g ON g."row" = e._row',
                plan_folder(self.project) / name,
            )
            if rows:
                table = SendTable(
                    f"again_{send.name}", send.table, send.phase, name, rows, "", send.columns, send.objects,
                    send.has_parties, send.has_states, send.has_files, send.has_links,
                )  # fmt: skip
                made.append(sealed_table(self.engine, table, plan_folder(self.project)))
        by_name = {table.name: table for table in made}
        return [(step.kind, by_name[step.send]) for step in plan_steps((), made, before.whole.phases)]
