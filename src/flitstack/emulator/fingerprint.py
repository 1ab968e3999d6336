"""One number for what an environment holds, whatever the order of its rows and whoever touched them last."""

import xxhash

from flitstack.emulator.core import EntityModel, Environment
from flitstack.emulator.ddl import pair_table, quoted, type_column
from flitstack.emulator.files.columns import companions, file_columns
from flitstack.emulator.files.contents import pointer_of

# They tell when and by whom, not what.
VOLATILE = frozenset(
    {
        "createdon", "modifiedon", "createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby",
        "versionnumber", "overriddencreatedon",
    }
)  # fmt: skip
_MODULUS = 1 << 128


def fingerprint(environment: Environment) -> dict[str, object]:
    """Per table `{"rows", "hash"}`, N:N relationships as `pairs`, contents as `files`, and `hash` over all of it. Empty tables are left out.

    A column without a value counts as absent, so that adding and removing columns changes nothing.
    """
    present = {
        name
        for (name,) in environment.connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
    }
    tables = {name: _table(environment, model) for name, model in sorted(environment.tables.items()) if name in present}
    pairs = {
        name: _sum(environment, pair_table(many), ["first", "second"])
        for name, many in sorted(environment.many_to_many.items())
        if pair_table(many) in present
    }
    tables, pairs = _filled(tables), _filled(pairs)
    files = _files(environment)
    overall = xxhash.xxh3_128_hexdigest(repr((tables, pairs, files) if files["rows"] else (tables, pairs)).encode())
    return {"tables": tables, "pairs": pairs, "files": files, "hash": overall}


def _files(environment: Environment) -> dict[str, object]:
    """Whole contents of file and image columns: how many, and a hash over where they belong and all their bytes."""
    rows, total = 0, 0
    for content in environment.contents():
        digest = xxhash.xxh3_128()
        digest.update(repr((content.place, content.name, content.mimetype, content.size)).encode())
        for piece in environment.read_content(content):
            digest.update(piece)
        total += digest.intdigest()
        rows += 1
    return {"rows": rows, "hash": f"{total % _MODULUS:032x}"}


def _filled(entries: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {name: entry for name, entry in entries.items() if entry["rows"]}


def _table(environment: Environment, model: EntityModel) -> dict[str, object]:
    there = {row[1] for row in environment.connection.execute(f"PRAGMA table_info({quoted(model.name)})")}
    # Ids and times of contents are the environment's own; the contents themselves are told in `files`.
    generated = {name for column in file_columns(model) for name in (pointer_of(column), *companions(column))}
    names = sorted(
        name
        for column in model.stored
        for name in (column, type_column(column))
        if column not in VOLATILE and column not in generated and name in there
    )
    return _sum(environment, model.name, _used(environment, model.name, names))


def _used(environment: Environment, table: str, names: list[str]) -> list[str]:
    """The columns in which some row has a value: most of a wide table's have none."""
    tests = ", ".join(f"count({quoted(name)})" for name in names)
    counts = environment.connection.execute(f"SELECT {tests} FROM {quoted(table)}").fetchone()
    return [name for name, count in zip(names, counts, strict=True) if count]


def _sum(environment: Environment, table: str, names: list[str]) -> dict[str, object]:
    """Row hashes added up: the same for every order, different when a row appears twice."""
    content = " || ',' || ".join(f"quote({quoted(name)})" for name in names) or "''"
    rows, total = 0, xxhash.xxh3_128_intdigest(repr(names).encode())
    for (text,) in environment.connection.execute(f"SELECT {content} FROM {quoted(table)}"):
        total += xxhash.xxh3_128_intdigest(text.encode())
        rows += 1
    return {"rows": rows, "hash": f"{total % _MODULUS:032x}"}
