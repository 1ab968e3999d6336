"""Files that travel with a record: found in the export by their path, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flitstack.mapping.convert import Trouble
from flitstack.mapping.document import MappedColumn
from flitstack.mapping.mime import TYPES, type_of_file
from flitstack.mapping.program import Program
from flitstack.mapping.target import describe_table
from flitstack.staging.engine.engine import Engine, literal, quoted

if TYPE_CHECKING:
    from flitstack.mapping.compile import Compiler

FILES = "map_files"
FILE_TYPES = "map_file_types"
UNKNOWN_TYPE = "'application/octet-stream'"
# Join of a program's parsed layer to the files: by the whole path as it is spelled, by the path whatever its case where
# only one file has it, by a name that only one file has; and to the types that endings of original names tell.
_WAYS = {"_exact": "_file_exact", "_by_path": "_file_path", "_by_name": "'*/' || regexp_extract(_file_path, '[^/]*$')"}
FILE_JOINS = "".join(f" LEFT JOIN {FILES} {way} ON {way}._file_key = {key}" for way, key in _WAYS.items()) + (
    f" LEFT JOIN {FILE_TYPES} _by_ending ON _by_ending.ending = _file_endings[2]"
)


def open_files(engine: Engine, attachments: Mapping[str, int], export: Path) -> None:
    """Lay out the export's files as the table FILES (_file_key, _file_found, _file_size, _file_guess).

    Only paths listed here are ever used, so that a path named in a record never leads out of the export.
    """
    kinds = [type_of_file(export, path) for path in attachments]
    listed = {"path": attachments.keys(), "size": attachments.values(), "kind": kinds}
    types = (pa.string(), pa.int64(), pa.string())
    columns = {name: pa.array(values, kind) for (name, values), kind in zip(listed.items(), types, strict=True)}
    engine.connection.register("map_attachments", pa.table(columns))
    once = "any_value(path), any_value(size), any_value(kind) FROM map_attachments GROUP BY 1 HAVING count(*) = 1"
    # A slash before the exact path and a star before the name: no key of one kind is one of another.
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {FILES} AS
        SELECT '/' || path AS _file_key, path AS _file_found, size AS _file_size, kind AS _file_guess
        FROM map_attachments
        UNION ALL SELECT lower(path), {once}
        UNION ALL SELECT '*/' || regexp_extract(lower(path), '[^/]*$'), {once}"""
    )
    engine.connection.unregister("map_attachments")
    endings = {"ending": [ending.removeprefix(".") for ending in TYPES], "type": list(TYPES.values())}
    engine.connection.register("map_endings", pa.table(endings))
    engine.run(f"CREATE OR REPLACE TEMP TABLE {FILE_TYPES} AS SELECT * FROM map_endings")
    engine.connection.unregister("map_endings")


def compile_file(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    """Add the file of a record: its path, its name and type, and what would make it held."""
    given, context = program.route.file or {}, compiler.context
    stored = f"CAST({compiler.sql(str(given['path']), *place, 'file', 'path')} AS VARCHAR)"
    # A document that stands in the record itself was taken out of it while staging.
    stored = f"coalesce(list_extract(inline_files({stored}), 1), {stored})"
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
    inside = f"regexp_replace({_slashes(stored)}, '^(?:[A-Za-z]:)?(?:\\./|/)*', '')"
    program.parsed += [
        ("_file_exact", f"'/' || {inside}"),
        ("_file_path", f"lower({inside})"),
        ("_file_name", f"coalesce({_last(_slashes(named))}, {_last(_slashes(stored))})"),
        ("_file_type", f"clean({mime})"),
        ("_file_endings", f"[{_ending(stored)}, {_ending(named)}]"),
    ]
    path, size = _found("_file_found"), _found("_file_size")
    if "copy_to" in given:
        _add_copy(compiler, program, str(given["copy_to"]), place)
        return
    program.values += [("_content", path), ("_content_size", size)]
    blocked = ", ".join(map(literal, sorted(context.blocked_extensions))) or "''"
    shown = quoted(field) if field in program.fields else "''"
    troubles = {
        **_unusable(path, size),
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


def _unusable(path: str, size: str) -> dict[str, tuple[str, str, str]]:
    """What no file may be, wherever it goes: code -> when, what (SQL), do."""
    missing = (f"{path} IS NULL", "'the export holds no such file'", "ask for the file, or upload it by hand")
    return {
        "file_missing": missing,
        "empty_file": (f"{size} = 0", "'the file holds nothing'", "ask for the file again"),
    }


def _add_copy(compiler: Compiler, program: Program, target: str, place: tuple[str | int, ...]) -> None:
    """A file that is not sent but copied: where it lies and where it goes (mapping/document.py)."""
    path, size = _found("_file_found"), _found("_file_size")
    field = str((program.route.file or {})["path"]).strip('"')
    shown = quoted(field) if field in program.fields else "''"
    program.parsed.append(("_file_target", f"CAST({compiler.sql(target, *place, 'file', 'copy_to')} AS VARCHAR)"))
    program.values += [("_copy_from", path), ("_copy_to", "_file_target"), ("_copy_size", size)]
    for code, (when, what, do) in _unusable(path, size).items():
        program.troubles.append(Trouble(code, field, "held", when, shown, what, do))
    program.has_copies = True


def _add_columns(program: Program, table: object, field: str) -> None:
    guess = _found("_file_guess")
    columns = {
        "filename": ("String", "cut_utf16(_file_name, 255)"),
        "mimetype": ("String", f"cut_utf16(coalesce(_file_type, _by_ending.type, {guess}, {UNKNOWN_TYPE}), 256)"),
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


def _found(column: str) -> str:
    return f"coalesce({', '.join(f'{way}.{column}' for way in _WAYS)})"


def _slashes(sql: str) -> str:
    return f"replace(clean({sql}), '\\', '/')"


def _last(sql: str) -> str:
    return f"nullif(regexp_extract({sql}, '[^/:]*$'), '')"


def _ending(sql: str) -> str:
    return f"nullif(regexp_extract(lower(clean({sql})), '\\.([^./\\\\]+)[. ]*$', 1), '')"
