"""The parts of a route that point to other rows: lookups, participants, tags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flitstack.mapping.document import MappedColumn
from flitstack.mapping.maps import Alternative, ColumnRule
from flitstack.mapping.program import LookupPlan, PartyPlan, Program, TagPlan, Way
from flitstack.mapping.reads import names_of
from flitstack.mapping.target import Target, describe_table
from flitstack.staging.engine.engine import quoted

if TYPE_CHECKING:
    from flitstack.mapping.compile import Compiler

Place = tuple[str | int, ...]


def compile_lookup(compiler: Compiler, program: Program, rule: ColumnRule, target: Target, place: Place) -> None:
    """Add a lookup (or the text of a row's id) to the program."""
    ways = tuple(way for one in rule.alternatives for way in _way(compiler, one, place))
    read = [field for one in rule.alternatives for field in _fields(compiler, one, place)]
    field = rule.field or ", ".join(dict.fromkeys(read))
    named = [rule.field] if rule.field in program.fields else list(dict.fromkeys(read))
    present = " OR ".join(f"clean({quoted(name)}) IS NOT NULL" for name in named) or "FALSE"
    if rule.alternatives and all(one.when for one in rule.alternatives):
        # Where no way applies to a record (a student of no organisation), nothing is missing.
        applies = " OR ".join(compiler.condition(one.when, *place) for one in rule.alternatives)
        present = f"({present}) AND ({applies})"
    missing = rule.missing or "blank"
    code = rule.code or ("orphan_parent" if missing == "hold" else "unresolved_lookup")
    if rule.name in program.route.required and missing == "blank":
        missing, code = "hold", "required_missing"
    shown = quoted(named[0]) if named else "''"
    place_of = len(program.lookups)
    awaited = " OR ".join(_awaited(compiler, one, place) for one in rule.alternatives if _comes_later(compiler, one))
    program.lookups.append(
        LookupPlan(rule.name, place_of, ways, missing, code, field, present, shown, rule.instead_of, awaited)
    )
    tables = tuple(dict.fromkeys(table for way in ways for table in way.tables))
    sql = "; ".join(way.key for way in ways)
    kind = target.type if rule.kind == "lookup" else "String"
    create = dict(rule.create) if rule.create is not None else None
    if create is not None and rule.kind == "lookup":
        create["targets"] = [name for name in create.get("targets", tables) if _is_there(compiler, name)]
        if not create["targets"]:
            return  # nothing brings the table it points to, so the column cannot be made; what names it was told above
    program.columns.append(MappedColumn(rule.name, rule.kind, kind, field, sql, create, rule.verify, tables))


def _comes_later(compiler: Compiler, one: Alternative) -> bool:
    return any(table in compiler.context.awaited for table in one.tables)


def _awaited(compiler: Compiler, one: Alternative, place: Place) -> str:
    """SQL: this way applies to a record and names something."""
    when = compiler.condition(one.when, *place)
    named = [f"clean(CAST({quoted(field)} AS VARCHAR)) IS NOT NULL" for field in _fields(compiler, one, place)]
    return f"({when} AND ({' OR '.join(named) or 'TRUE'}))"


def compile_parties(compiler: Compiler, program: Program, place: Place) -> None:
    """Add the participants of an activity."""
    for number, party in enumerate(program.route.parties):
        inside = (*place, "parties", number)
        when = compiler.condition(str(party.get("when", "")), *inside, "when")
        if "owner" in party:
            owner = compiler.sql(str(party["owner"]), *inside, "owner")
            program.parties.append(PartyPlan(int(party["mask"]), when, owner=f"CAST({owner} AS VARCHAR)"))
            continue
        one = Alternative(
            tables=names_of(party["table"]),
            via=str(party["via"]),
            each=str(party["each"]),
            key=str(party.get("key", "")),
        )
        for way in _way(compiler, one, inside):
            program.parties.append(PartyPlan(int(party["mask"]), when, way=way, or_users=bool(party.get("users"))))


def compile_unless(compiler: Compiler, program: Program, place: Place) -> None:
    """Add the rows that make a row beside a record needless."""
    for number, one in enumerate(program.route.unless):
        program.unless += [replace(way, but=program.name) for way in _way(compiler, one, (*place, "unless", number))]


def compile_tags(compiler: Compiler, program: Program, place: Place) -> None:
    """Add a vocabulary's column or links."""
    given = program.route.vocabulary
    if given is None:
        return
    vocabulary = compiler.pack.playbook.get("vocabularies", {}).get(str(given["of"]), {})
    separator = str(vocabulary.get("separator", ";")).replace("'", "''")
    field = compiler.sql(str(quoted(given["field"])), *place, "vocabulary")
    strategy = str(compiler.context.decisions.get(str(given.get("strategy", "")), "auto")).partition(" ")[0]
    program.tags = TagPlan(
        vocabulary=str(given["of"]),
        column=str(given["column"]),
        label=str(given.get("label", given["column"])),
        field=str(given["field"]),
        keys=f"choice_keys(CAST({field} AS VARCHAR), '{separator}')",
        strategy=strategy,
        table=str(given.get("table", "")),
        options={str(label): int(value) for label, value in (given.get("options") or {}).items()},
    )


def _way(compiler: Compiler, one: Alternative, place: Place) -> list[Way]:
    """The way as SQL; none when no standing route and no row of the environment can be its target."""
    live = tuple(table for table in one.tables if one.via in compiler.context.rows.get(table, {}))
    tables = live or tuple(table for table in one.tables if table in compiler.active_tables)
    when = compiler.condition(one.when, *place)
    if not tables or when == "coalesce((FALSE), FALSE)":
        return []
    if one.each:
        elements = compiler.sql(one.each, *place)
        keyed = f"list_transform({elements}, lambda v: {one.key}(v))" if one.key else elements
        key = keyed if when == "TRUE" else f"CASE WHEN {when} THEN {keyed} END"
        return [Way(tables, one.via, key, is_list=True, is_live=bool(live))]
    key = f"CAST({compiler.sql(one.by, *place)} AS VARCHAR)"
    return [Way(tables, one.via, key if when == "TRUE" else f"CASE WHEN {when} THEN {key} END", is_live=bool(live))]


def _is_there(compiler: Compiler, table: str) -> bool:
    return table in compiler.active_tables or describe_table(table, compiler.context.live) is not None


def _fields(compiler: Compiler, one: Alternative, place: Place) -> tuple[str, ...]:
    expression = compiler.expression(one.by or one.each, *place)
    return expression.fields if expression else ()
