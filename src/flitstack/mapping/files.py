"""Files that travel with a record: found in the export by their path, checked before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from flitstack.mapping.convert import Trouble
from flitstack.mapping.document import MappedColumn
from flitstack.mapping.program import Program
from flitstack.mapping.target import describe_table
from flitstack.staging.engine.engine import Engine, literal, quoted

if TYPE_CHECKING:
    from flitstack.mapping.compile import Compiler

FILES = "map_files"
# Join of a program's parsed layer to the files: by the whole path, else by a name that only one file has.
FILE_JOINS = (
    f" LEFT JOIN {FILES} _by_path ON _by_path._file_key = _file_path"
    f" LEFT JOIN {FILES} _by_name ON _by_name._file_key = '*/' || regexp_extract(_file_path, '[^/]*$')"
)


def open_files(engine: Engine, attachments: dict[str, int]) -> None:
    """Lay out the export's files as the table FILES (_file_key, _file_found, _file_size).

    Only paths listed here are ever used, so that a path named in a record never leads out of the export.
    """
    listed = pa.table(
        {"path": pa.array(attachments.keys(), pa.string()), "size": pa.array(attachments.values(), pa.int64())}
    )
    engine.connection.register("map_attachments", listed)
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {FILES} AS
        SELECT lower(path) AS _file_key, path AS _file_found, size AS _file_size FROM map_attachments
        UNION ALL
        SELECT '*/' || regexp_extract(lower(path), '[^/]*$'), any_value(path), any_value(size)
        FROM map_attachments GROUP BY 1 HAVING count(*) = 1"""
    )
    engine.connection.unregister("map_attachments")


def compile_file(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    """Add the file of a record: its path, its name and type, and what would make it held."""
    given, context = program.route.file or {}, compiler.context
    stored = f"CAST({compiler.sql(str(given['path']), *place, 'file', 'path')} AS VARCHAR)"
    named = (
        f"CAST({compiler.sql(str(given['name']), *place, 'file', 'name')} AS VARCHAR)"
        if "name" in given
        else "NULL::VARCHAR"
    )
    mime = (
        f"CAST({compiler.sql(str(given['mime']), *place, 'file', 'mime')} AS VARCHAR)"
        if "mime" in given
        else "NULL::VARCHAR"
    )
    field = str(given["path"]).strip('"')
    limit = _limit(compiler, str(given.get("limit_kb", "")))
    program.parsed += [
        ("_file_path", f"lower(regexp_replace({_slashes(stored)}, '^(?:[A-Za-z]:)?(?:\\./|/)*', ''))"),
        ("_file_name", f"coalesce({_last(_slashes(named))}, {_last(_slashes(stored))})"),
        ("_file_type", f"coalesce(clean({mime}), 'application/octet-stream')"),
        ("_file_endings", f"[{_ending(stored)}, {_ending(named)}]"),
    ]
    path, size = (
        "coalesce(_by_path._file_found, _by_name._file_found)",
        "coalesce(_by_path._file_size, _by_name._file_size)",
    )
    program.values += [("_content", path), ("_content_size", size)]
    blocked = ", ".join(map(literal, sorted(context.blocked_extensions))) or "''"
    shown = quoted(field) if field in program.fields else "''"
    troubles = {
        "file_missing": (
            f"{path} IS NULL",
            "'the export holds no such file'",
            "ask for the file, or upload it by hand",
        ),
        "empty_file": (f"{size} = 0", "'the file holds nothing'", "ask for the file again"),
        "file_too_large": (
            f"{size} > {limit}",
            f"CAST({size} AS VARCHAR) || ' bytes, {limit} fit'",
            "raise the limit of the environment, or upload the file elsewhere",
        ),
        "blocked_type": (
            f"list_has_any(_file_endings, [{blocked}])",
            "'the environment refuses files of this type'",
            "allow the type in the environment, or pack the file",
        ),
    }
    for code, (when, what, do) in troubles.items():
        program.troubles.append(Trouble(code, field, "held", when, shown, what, do))
    _add_columns(program, describe_table(program.route.table, context.live), field)
    program.has_files = True


def _add_columns(program: Program, table: object, field: str) -> None:
    columns = {
        "filename": ("String", "cut_utf16(_file_name, 255)"),
        "mimetype": ("String", "cut_utf16(_file_type, 256)"),
        "isdocument": ("Boolean", "TRUE"),
    }
    known = getattr(table, "columns", columns)
    for name, (kind, sql) in columns.items():
        if name in known and name not in program.route.columns:
            program.values.append((name, sql))
            program.columns.append(MappedColumn(name, "value", kind, field, sql))


def _limit(compiler: Compiler, decision: str) -> int:
    chosen = compiler.context.decisions.get(decision) or 0
    limit = int(float(chosen) * 1024)
    return min(limit, compiler.context.max_file_bytes) if limit > 0 else compiler.context.max_file_bytes


def _slashes(sql: str) -> str:
    return f"replace(clean({sql}), '\\', '/')"


def _last(sql: str) -> str:
    return f"nullif(regexp_extract({sql}, '[^/:]*$'), '')"


def _ending(sql: str) -> str:
    return f"nullif(regexp_extract(lower(clean({sql})), '\\.([^./\\\\]+)[. ]*$', 1), '')"
