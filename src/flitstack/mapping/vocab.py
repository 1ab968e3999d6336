"""Vocabularies: tags of several fields become one list of words, each in its most frequent spelling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.staging.engine.engine import Engine, literal, quoted

FEW_TAGS = 50  # from here on a text column no longer serves: exports.md, K7
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`table`: temporary table ("key", label, place, option) in alphabetical order of labels. `strategy`: text |
    multiselect | table."""

    name: str
    table: str
    strategy: str
    words: tuple[tuple[str, str, int], ...]  # key, label, option value


def gather(
    engine: Engine,
    name: str,
    definition: Mapping[str, Any],
    sources: Mapping[str, str],
    strategy: str,
    options: Mapping[str, int],
    option_base: int,
) -> Vocabulary:
    """Gather a vocabulary. `sources`: object -> view over its records; `options`: label -> value already given."""
    separator = literal(str(definition.get("separator", ";")))
    parts = []
    for field in definition.get("of", ()):
        owner, _, column = str(field).partition(".")
        if owner in sources:
            parts.append(f"SELECT unnest(split_list({quoted(column)}, {separator})) AS word FROM {sources[owner]}")
    counted = " UNION ALL ".join(parts) or "SELECT NULL::VARCHAR AS word WHERE FALSE"
    table = f"map_words_{name}"
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {table} AS
        SELECT "key", arg_min(word, {{'n': -n, 'w': word}}) AS label, 0::BIGINT AS option
        FROM (SELECT choice_key(word) AS "key", word, count(*) AS n FROM ({counted}) GROUP BY ALL)
        WHERE "key" IS NOT NULL GROUP BY "key" """
    )
    listed = engine.rows(f'SELECT "key", label FROM {table} ORDER BY lower(label), label')
    known = {str(label).casefold(): value for label, value in options.items()}
    upcoming = max([option_base - 1, *known.values()]) + 1
    words = []
    for key, label in listed:
        value = known.get(str(label).casefold())
        if value is None:
            value, upcoming = upcoming, upcoming + 1
        words.append((str(key), str(label), value))
    if words:
        numbered = [(value, key) for key, _, value in words]
        engine.connection.executemany(f'UPDATE {table} SET option = ? WHERE "key" = ?', numbered)
    if strategy == "auto":
        strategy = "text" if len(words) < FEW_TAGS else "multiselect"
    return Vocabulary(name, table, strategy, tuple(words))


def tags_sql(vocabulary: Vocabulary, source: str) -> str:
    """SQL giving, by record (`_n`), the tags as text, as option values, and as keys, in the order of the source."""
    return f"""
        SELECT _n, string_agg(w.label, ', ' ORDER BY e.place) AS labels,
               string_agg(CAST(w.option AS VARCHAR), ',' ORDER BY w.option) AS options,
               list(w."key" ORDER BY e.place) AS keys
        FROM (SELECT _n, unnest(_tags) AS "key", generate_subscripts(_tags, 1) AS place FROM {source}) e
        JOIN {vocabulary.table} w ON w."key" = e."key" GROUP BY _n"""
