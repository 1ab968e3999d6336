"""Giving many-to-many links and files back: what a delta added goes, what it took away returns.

Links of rows that we made need no before-image: the states that two rounds left say which links each row had. Of a row that was
there before us the journal says which links we made; one that was there already is not among them. Removing a link that is
gone, or making one that is there, does no harm, so what somebody changed meanwhile needs no look.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.planning.changes import Side, standing_rows
from flitstack.planning.document import SendTable
from flitstack.planning.restore import records_of
from flitstack.staging.engine.engine import Engine, literal, read_parquet

_LINKS = 'STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID)[]'


def write_made_links(engine: Engine, journal: Journal, runs: Iterable[int], folder: Path) -> dict[str, Path]:
    """By table, Parquet (_row, _links) of links that these runs made of rows which were there before us."""
    listed = ", ".join(map(str, runs)) or "-1"
    tried = f'SELECT batch, "row" FROM journal_rows WHERE operation = {Operation.LINK} AND run IN ({listed})'
    batches = {int(batch) for (batch,) in engine.rows(f"SELECT DISTINCT batch FROM ({tried})")}
    files: dict[str, Path] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for intent, lines in journal.before_images():
        if intent.operation is not Operation.LINK or intent.batch not in batches:
            continue
        path = files.setdefault(intent.table, folder / f"{intent.table}.links.jsonl")
        head = orjson.dumps({"batch": intent.batch})[:-1] + b',"image":'
        with path.open("ab") as file:
            file.writelines(head + line + b"}\n" for line in lines.splitlines())
    return {table: found for table, path in files.items() if (found := _made(engine, path, tried)) is not None}


def _made(engine: Engine, path: Path, tried: str) -> Path | None:
    """What was refused was not made; a row may have got links in several runs."""
    target = path.with_suffix(".parquet")
    columns = "{'batch': 'BIGINT', 'image': 'JSON'}"
    source = f"read_json({literal(str(path))}, format = 'newline_delimited', columns = {columns})"
    rows = engine.write_parquet(
        f"""SELECT _row, list_distinct(flatten(list(_links))) AS _links FROM (
            SELECT i.batch, CAST(image->>'_row' AS UUID) AS _row, CAST(json_extract(image, '$._links') AS {_LINKS}) AS _links
            FROM {source} i) m
        SEMI JOIN ({tried} AND status <> {Status.REFUSED}) t ON t.batch = m.batch AND t."row" = m._row
        WHERE len(_links) > 0 GROUP BY _row""",
        target,
    )
    path.unlink()
    return target if rows else None


def unlinked(engine: Engine, made: Mapping[str, Path], folder: Path) -> list[tuple[str, SendTable]]:
    """The send tables below `folder` that take those links away."""
    found = []
    for table, path in sorted(made.items()):
        name = f"rollback/unlink_there_{table}.parquet"
        rows = engine.write_parquet(
            f"SELECT row_number() OVER () AS _ord, _row, _links FROM {read_parquet(path)}", folder / name
        )
        empty = SendTable(f"unlink_there_{table}", table, "changes", name, rows, f"{rows}", (), (), is_change=True)
        found.append(("disassociate", replace(empty, has_links=True)))
    return found


def links_back(
    engine: Engine, table: str, before: Side, now: Side, tried: str, folder: Path, label: str = ""
) -> list[tuple[str, SendTable]]:
    """Send tables below `folder` with their step kinds: links that came since `before` and those that went.

    `tried`: query ("row") of rows it is about; `label` ends the names of the send tables.
    """
    sends = [(side.folder, send) for side in (now, before) for send in side.sends(table)]
    if not any(send.has_links for _, send in sends):
        return []
    was, is_now = (standing_rows(engine, [side], table, ["_links"]) for side in (before, now))
    # Of a row that was there before us the journal says which links are ours (write_made_links), the states do not.
    there = [read_parquet(now.folder / send.parquet) for send in now.sends(table) if send.was_there]
    older = " UNION ALL ".join(f"SELECT _row FROM {rows}" for rows in there)
    made = []
    for kind, what in (("disassociate", "unlink"), ("associate", "link")):
        unless = f"ANTI JOIN ({older}) w ON w._row = r._row" if older and kind == "disassociate" else ""
        first, second = ("n", "b") if kind == "disassociate" else ("b", "n")
        links = {side: f"coalesce(CAST({side}._links AS {_LINKS}), [])" for side in ("b", "n")}
        name = f"rollback/{what}_{table}{label}.parquet"
        rows = engine.write_parquet(
            f"""SELECT * FROM (
                SELECT r.*, list_filter({links[first]}, lambda l: NOT list_contains({links[second]}, l)) AS _links
                FROM ({records_of(sends)}) r JOIN ({was}) b ON b._row = r._row JOIN ({is_now}) n ON n._row = r._row
                SEMI JOIN ({tried}) t ON t."row" = r._row {unless}) WHERE len(_links) > 0""",
            folder / name,
        )
        if rows:
            empty = SendTable(f"{what}_{table}{label}", table, "changes", name, rows, f"{rows}", (), (), is_change=True)
            made.append((kind, replace(empty, has_links=True)))
    return made


def linked_rows(table: str, runs: Sequence[int], without: str) -> str:
    """SELECT "row" of rows whose links were sent in these runs, and that stay (`without`: query "row" of those that do not)."""
    return _tried(table, (Operation.LINK, Operation.UNLINK), runs, without)


def replaced_files(table: str, runs: Sequence[int], without: str) -> str:
    """SELECT _row of rows whose file was sent in these runs, and that stay."""
    return f'SELECT "row" AS _row FROM ({_tried(table, (Operation.FILE,), runs, without)})'


def _tried(table: str, operations: Iterable[Operation], runs: Sequence[int], without: str) -> str:
    """What was refused was not done; of what was under way when a command was killed nobody knows, so it counts."""
    listed = ", ".join(map(str, runs)) or "-1"
    kinds = ", ".join(str(int(operation)) for operation in operations)
    unless = f'ANTI JOIN ({without}) w ON w."row" = j."row"' if without else ""
    return (
        f'SELECT DISTINCT j."row" FROM journal_rows j {unless} WHERE j."table" = {literal(table)} '
        f"AND j.operation IN ({kinds}) AND j.status <> {Status.REFUSED} AND j.run IN ({listed})"
    )


def files_back(engine: Engine, table: str, before: Side, rows: str, folder: Path) -> list[tuple[str, SendTable]]:
    """The send tables that attach again what the rows of the SELECT `rows` (_row) held in `before`. A row that had no file then
    keeps the one it has."""
    made = []
    for number, send in enumerate(side for side in before.sends(table) if side.has_files):
        name = f"rollback/files_{number:02d}_{table}.parquet"
        count = engine.write_parquet(
            f"""SELECT e.* FROM {read_parquet(before.folder / send.parquet)} e
            SEMI JOIN ({rows}) r ON r._row = e._row WHERE e._content IS NOT NULL""",
            folder / name,
        )
        if count:
            again = SendTable(f"files_{send.name}", table, "changes", name, count, f"{count}", (), (), is_change=True)
            made.append(("files", replace(again, has_files=True)))
    return made
