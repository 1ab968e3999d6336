"""What a pack's playbook would make of an export that has every field: found without any export, told by playbook.yaml's lines.

The map is drafted over a snapshot that holds one record of every object, then checked as any map is, against the
catalogue's tables. What drafting had to guess is what the pack does not route.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.documents import Lines, read_yaml
from flitstack.errors import Problem, UsageError
from flitstack.mapping.check import check_maps
from flitstack.mapping.derived import derived_fields
from flitstack.mapping.draft import draft_object, used_fields
from flitstack.mapping.drafting import Drafting
from flitstack.mapping.expressions import Scope, fields_of, problems_of
from flitstack.mapping.maps import MapFile, read_maps, write_map
from flitstack.mapping.propose import CERTAIN
from flitstack.mapping.reads import column_texts
from flitstack.packs.automations import OF_ITEM, read_automations
from flitstack.packs.types import Pack
from flitstack.staging.document import StagedField, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, quoted

PREFIX = "flit"
OPTION_PREFIX = 72_700
# What reading the playbook has told already, in its own words.
_TOLD_BY_READING = frozenset(("phase-unknown",))
Found = tuple[tuple[str, ...], str]  # place in playbook.yaml, what is wrong there


def review_routes(
    pack: Pack, tables: Mapping[str, Table], engine: Engine, scratch: Path
) -> tuple[list[Problem], list[Problem]]:
    """(what is wrong with routes and expressions, which fields the pack does not route). `scratch` is written to."""
    path = pack.folder / "playbook.yaml"
    lines = read_yaml(path)[1] if path.exists() else {}
    place = f"{pack.folder.name}/playbook.yaml"
    staged = _full_snapshot(pack, engine, scratch)
    try:
        maps = _draft(pack, staged, tables, engine, scratch)
    except UsageError as error:
        return [replace(problem, where=place, rule="") for problem in error.problems], []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"the routes are not written as docs/playbook.md says: {type(error).__name__} {error}"
        return [Problem("route-form", what, where=place, do="compare the routes with docs/playbook.md")], []
    found = [one for one in check_maps(maps, pack, staged, tables) if one.code not in _TOLD_BY_READING]
    # A field is forgotten by a draft only where something else is wrong with the column that was to read it.
    told = [one for one in found if one.code != "field-forgotten"] or found
    wrong = [_in_playbook(problem, maps, lines, place) for problem in told]
    seen = {problem.what for problem in wrong}
    outside = [*_column_expressions(pack, maps), *_other_expressions(pack, tables)]
    wrong += [
        Problem("expression-refused", what, where=f"{place}:{_line(keys, lines)}", do="correct the expression")
        for keys, what in dict.fromkeys(outside)
        if what not in seen
    ]
    return wrong, list(_unplaced(pack, maps, lines, place))


def _full_snapshot(pack: Pack, engine: Engine, folder: Path) -> StagingDocument:
    tables = {}
    for name, source in pack.objects.items():
        columns = ", ".join(f"'x' AS {quoted(field)}" for field in source.fields) or "'x' AS nothing"
        engine.write_parquet(
            f"SELECT '' AS _file, 1::BIGINT AS _record, 1::BIGINT AS _line, 'x' AS _id, {columns}",
            folder / f"{name}.parquet",
        )
        fields = tuple(StagedField(field, field, known=True, how="name") for field in source.fields)
        tables[name] = StagedTable(name, f"{name}.parquet", 1, fields, ())
    return StagingDocument(
        pack=pack.name, export="", fingerprint="", at="", tables=tables, files=(), attachments={}, partial=False
    )


def _draft(
    pack: Pack, staged: StagingDocument, tables: Mapping[str, Table], engine: Engine, scratch: Path
) -> dict[str, MapFile]:
    decisions = {name: decision.default for name, decision in pack.decisions.items()}
    drafting = Drafting(pack, staged, scratch, tables, decisions, PREFIX, OPTION_PREFIX, engine)
    folder = scratch / "mapping"
    folder.mkdir()
    for name in pack.objects:
        if (pack.playbook.get("routes") or {}).get(name):
            write_map(folder / f"{name}.yaml", draft_object(name, drafting))
    return read_maps(folder)


def _in_playbook(problem: Problem, maps: Mapping[str, MapFile], lines: Lines, place: str) -> Problem:
    """The problem at the line of playbook.yaml that the drafted map's line came from."""
    path, _, line = problem.rule.rpartition(":")
    file = next((one for one in maps.values() if path.endswith(f"/{one.path.name}")), None)
    if file is None:
        return replace(problem, where=place, rule="")
    found = [keys for keys, at in file.lines.items() if at == int(line)]
    keys = _own_words(("routes", file.object, *min(found, key=len, default=("routes",))[1:]))
    while keys not in lines and len(keys) > 1:
        keys = keys[:-1]
    return replace(problem, where=f"{place}:{lines.get(keys, 1)}", rule="")


def _own_words(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"x_{key.removeprefix(f'{PREFIX}_')}" if key.startswith(f"{PREFIX}_") else key for key in keys)


def _unplaced(pack: Pack, maps: Mapping[str, MapFile], lines: Lines, place: str) -> Iterator[Problem]:
    for name, file in maps.items():
        source = pack.objects[name]
        where = f"{place}:{lines.get(('routes', name), 1)}"
        fields = tuple(source.fields)
        sure: set[str] = {source.key, *source.also_key, *_never_staged(pack), *_read_elsewhere(pack, name, fields)}
        guessed: dict[str, str] = {}
        for route in file.routes:
            data = file.data["routes"][[one.name for one in file.routes].index(route.name)]
            rest = {key: value for key, value in data.items() if key not in {"columns", "unmapped"}}
            sure |= set(used_fields(rest, fields)) | {str((route.vocabulary or {}).get("field", ""))}
            for column, rule in (data.get("columns") or {}).items():
                reads = set(used_fields(rule, fields))
                if float(rule.get("confidence", 1)) >= CERTAIN:
                    sure |= reads
                else:
                    guessed |= dict.fromkeys(reads, f"{route.table}.{column}")
            guessed |= dict.fromkeys(route.unmapped, "nowhere")
        for field in (one for one in fields if one in guessed and one not in sure):
            means = source.fields[field].means
            if means == "record.id":
                continue
            what = f"{name}.{field} ({means or 'no meaning'}) is routed nowhere; proposed would be {guessed[field]}"
            do = "write a column for it in a route, or give it a meaning of mapping/meanings.yaml"
            yield Problem("field-not-routed", what, where=where, do=do)


def _never_staged(pack: Pack) -> list[str]:
    """Fields that the pack's own default leaves out of the read scope."""
    decision = pack.decisions.get(str(pack.playbook.get("suppress", "")))
    return [str(name) for name in decision.default] if decision and isinstance(decision.default, list) else []


def _read_elsewhere(pack: Pack, name: str, fields: tuple[str, ...]) -> Iterator[str]:
    """Fields that derived fields of any object read from this one."""
    for owner, rules in (pack.playbook.get("derived") or {}).items():
        for rule in rules.values():
            mine = [rule.get("is", rule.get("own"))] if owner == name else []
            if rule.get("from") == name:
                mine += [value for word, value in rule.items() if word not in {"from", "own"}]
            for text in mine:
                yield from used_fields({"from": str(text)}, fields)


def _column_expressions(pack: Pack, maps: Mapping[str, MapFile]) -> Iterator[Found]:
    """Expressions of columns that could not be compiled because something else is wrong with the column."""
    decisions = {name: decision.default for name, decision in pack.decisions.items()}
    for name, file in maps.items():
        fields = (*pack.objects[name].fields, *derived_fields(pack, name))
        for number, route in enumerate(file.routes):
            scope = Scope((*fields, "_item", "_place") if route.each else fields, decisions)
            for rule in route.columns.values():
                keys = _own_words(("routes", name, str(number), "columns", rule.name))
                yield from ((keys, what) for text in column_texts(rule) for what in problems_of(text, scope))


def _other_expressions(pack: Pack, tables: Mapping[str, Table]) -> Iterator[Found]:
    """Expressions outside of routes: derived fields, rows that are there already, automations."""
    decisions = {name: decision.default for name, decision in pack.decisions.items()}
    scopes = {
        name: Scope((*source.fields, *derived_fields(pack, name)), decisions) for name, source in pack.objects.items()
    }
    for owner, rules in (pack.playbook.get("derived") or {}).items():
        for field, rule in rules.items():
            for word in ("is", "own", "their", "when", "sum", "max", "min", "first", "list"):
                scope = scopes.get(owner if word in {"is", "own"} else str(rule.get("from")))
                if word in rule and scope is not None:
                    yield from ((("derived", owner, field), what) for what in problems_of(str(rule[word]), scope))
    for table, indexes in (pack.playbook.get("existing") or {}).items():
        if table not in tables:
            yield ("existing", table), f"there is no table {table} in the catalogue"
            continue
        for index, text in indexes.items():
            scope = Scope(tuple(tables[table].columns), decisions)
            yield from ((("existing", table, index), what) for what in problems_of(str(text), scope))
    for place, (table, keys) in enumerate((pack.playbook.get("upsert") or {}).items()):
        if table not in tables:
            yield ("upsert", table), f"there is no table {table} in the catalogue"
            continue
        scope = Scope(tuple(tables[table].columns), {})
        for number, text in enumerate(keys or ()):
            wrong = list(problems_of(str(text), scope))
            yield from ((("upsert", table, str(number)), what) for what in wrong)
            if not wrong and not fields_of(str(text), scope.fields):
                yield ("upsert", table, str(number)), "names no column of the table, so that every row would fit"
            for name in () if wrong else fields_of(str(text), scope.fields):
                late = set(tables[table].columns[name].targets) & {*list(pack.playbook["upsert"])[place:]}
                yield from (
                    (("upsert", table, str(number)), f"{name} points to {other}, which has to stand before")
                    for other in sorted(late)
                )
    staff = pack.playbook.get("staff_roles") or {}
    if staff.get("when") and staff.get("object") in scopes:
        yield from (
            (("staff_roles", "when"), what) for what in problems_of(str(staff["when"]), scopes[staff["object"]])
        )
    for number, entry in enumerate(read_automations(pack.playbook)):
        over = scopes.get(entry.object)
        if over is None:
            continue
        for part, text in entry.expressions.items():
            scope = Scope((*over.fields, "_item"), decisions) if part in OF_ITEM else over
            yield from ((("automations", str(number), part), what) for what in problems_of(text, scope))


def _line(keys: tuple[str, ...], lines: Lines) -> int:
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)
