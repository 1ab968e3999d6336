"""Vocabularies: tags of several fields become one list of words, each in its most frequent spelling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.mapping.choices import choice_key
from flitstack.staging.engine.engine import Engine, literal, quoted

FEW_TAGS = 50  # from here on a text column no longer serves: exports.md, K7
MAX_TEXT = 4_000
OWN_OPTIONS = 10_000  # values that begin with the publisher's option prefix


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`table`: temporary table ("key", label, option). `strategy`: text | multiselect | table; `first`: number of the first option;
    `given`: numbers that the map gives, by label."""

    name: str
    table: str
    strategy: str
    words: tuple[tuple[str, str], ...]  # key, label; in alphabetical order of labels
    first: int
    given: Mapping[str, int]


def gather(
    engine: Engine,
    name: str,
    definition: Mapping[str, Any],
    sources: Mapping[str, str],
    strategy: str,
    given: Mapping[str, int],
    first: int,
) -> Vocabulary:
    """Gather a vocabulary. `sources`: object -> view over its records; the others as in Vocabulary."""
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
    words = engine.rows(f'SELECT "key", label FROM {table} ORDER BY lower(label), label')
    if strategy == "auto":
        strategy = "text" if len(words) < FEW_TAGS else "multiselect"
    return Vocabulary(name, table, strategy, tuple((str(key), str(label)) for key, label in words), first, given)


def number_words(
    engine: Engine, vocabulary: Vocabulary, column: str, known: Mapping[int, str]
) -> list[list[int | str]]:
    """The options of a column, [[value, label], ...], and in the vocabulary's table the option of every word.

    A word that is an option of the column already (`known`: value -> label) keeps its number and its label, whatever words come
    before it by now; then the map's numbers count; what is new comes after the highest. Raises UsageError where the map says
    otherwise than the column.
    """
    numbers = {choice_key(label): value for value, label in sorted(known.items(), reverse=True)}
    problems = []
    for label, value in vocabulary.given.items():
        key = choice_key(label)
        if numbers.get(key, value) != value or choice_key(known.get(value, label)) != key:
            problems.append(_clash(column, label, value, known.get(value, ""), numbers.get(key)))
        numbers.setdefault(key, value)
    if problems:
        raise UsageError(*problems)
    own = range(vocabulary.first, vocabulary.first + OWN_OPTIONS)
    upcoming = max((value for value in (*known, *numbers.values()) if value in own), default=vocabulary.first - 1) + 1
    options: list[list[int | str]] = []
    for key, label in vocabulary.words:
        if key not in numbers:
            numbers[key], upcoming = upcoming, upcoming + 1
        options.append([numbers[key], known.get(numbers[key], label)])
    if options:
        rows = [(numbers[key], key) for key, _ in vocabulary.words]
        engine.connection.executemany(f'UPDATE {vocabulary.table} SET option = ? WHERE "key" = ?', rows)
    return options


def _clash(column: str, label: str, value: int, there: str, number: int | None) -> Problem:
    known = f"{value} = {there}" if there else f"{number} = {label}"
    return Problem(
        "option-number-clash",
        f'the map gives "{label}" the number {value} in {column}, the destination has it otherwise',
        known=known,
        do=f'under vocabulary: options: of the map give "{label}" the number it has there, or one that is free, or none',
    )


def tags_sql(vocabulary: Vocabulary, source: str) -> str:
    """SQL giving, by record (`_n`), the tags as text, as option values, and as keys, in the order of the source."""
    return f"""
        SELECT _n, string_agg(w.label, ', ' ORDER BY e.place) AS labels,
               string_agg(CAST(w.option AS VARCHAR), ',' ORDER BY w.option) AS options,
               list(w."key" ORDER BY e.place) AS keys
        FROM (SELECT _n, unnest(_tags) AS "key", generate_subscripts(_tags, 1) AS place FROM {source}) e
        JOIN {vocabulary.table} w ON w."key" = e."key" GROUP BY _n"""
