"""Vocabularies of a run, and the table of tags where tags are rows of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.mapping.program import Program
from flitstack.mapping.vocab import OWN_OPTIONS, Vocabulary, gather
from flitstack.packs.types import Pack
from flitstack.staging.engine.engine import Engine, literal, quoted

TAG_OBJECT = "Tag"


def relationship(tag_table: str, table: str) -> str:
    """Name of the many-to-many relationship between a tag table and another."""
    return f"{tag_table}_{table}"


def gather_vocabularies(
    engine: Engine, programs: Sequence[Program], pack: Pack, context: MapContext, merged: Mapping[str, str]
) -> dict[str, Vocabulary]:
    """The vocabularies that some route uses, by name."""
    found: dict[str, Vocabulary] = {}
    for program in programs:
        plan = program.tags
        if plan is None or plan.vocabulary in found:
            continue
        definition = pack.playbook.get("vocabularies", {}).get(plan.vocabulary, {})
        given = {
            label: v
            for p in programs
            if p.tags and p.tags.vocabulary == plan.vocabulary
            for label, v in p.tags.options.items()
        }
        found[plan.vocabulary] = gather(
            engine, plan.vocabulary, definition, merged, plan.strategy, given, context.option_prefix * OWN_OPTIONS
        )
    return found


def tag_routes(
    engine: Engine,
    programs: Sequence[Program],
    vocabularies: Mapping[str, Vocabulary],
    pack: Pack,
    context: MapContext,
    folder: Path,
) -> tuple[list[MappedRoute], dict[str, tuple[str, str]]]:
    """Rows of the tag tables, and the relationships that join them, where the strategy is a table."""
    routes: dict[str, MappedRoute] = {}
    links: dict[str, tuple[str, str]] = {}
    for program in programs:
        plan = program.tags
        if plan is None or vocabularies[plan.vocabulary].strategy != "table":
            continue
        links[relationship(plan.table, program.route.table)] = (plan.table, program.route.table)
        if plan.table not in routes:
            routes[plan.table] = _tag_route(engine, plan.table, vocabularies[plan.vocabulary], pack, context, folder)
    return list(routes.values()), links


def _tag_route(
    engine: Engine, table: str, vocabulary: Vocabulary, pack: Pack, context: MapContext, folder: Path
) -> MappedRoute:
    name = f"{context.prefix}_name"
    path = folder / f"{TAG_OBJECT.lower()}__{vocabulary.name}.parquet"
    rows = engine.write_parquet(
        f"""SELECT {literal(TAG_OBJECT)} AS _object, '' AS _file, "key" AS _record, NULL::BIGINT AS _line, "key" AS _key,
            source_digest({literal(context.system)}, {literal(TAG_OBJECT)}, "key") AS _digest, label AS {quoted(name)}
        FROM {vocabulary.table} ORDER BY lower(label), label""",
        path,
    )
    definition: Mapping[str, str] = next(
        (d for n, d in pack.playbook.get("tables", {}).items() if n.partition("_")[2] == table.partition("_")[2]), {}
    )
    create = {part: definition[part] for part in ("label", "plural", "name_label") if part in definition}
    phases = pack.playbook.get("phases") or ("",)
    return MappedRoute(
        object=TAG_OBJECT,
        name=vocabulary.name,
        table=table,
        phase=str(phases[0]),
        is_primary=False,
        parquet=path.name,
        rows=rows,
        columns=(MappedColumn(name, "value", "String", "Tags", "label"),),
        has_parties=False,
        has_states=False,
        has_files=False,
        has_links=False,
        depends_on=(),
        create_table=create or {"label": "Tag", "plural": "Tags"},
    )
