"""Duplicate detection: rules per table, asked when a request says `MSCRM.SuppressDuplicateDetection: false`.

A new environment finds accounts, contacts and leads with the same e-mail address. Blank values are never alike.
Sources: Microsoft Learn, "Detect duplicate data using the Web API", "Set up duplicate detection rules".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flitstack.emulator.ddl import quoted
from flitstack.emulator.documents import Document, read_documents
from flitstack.emulator.messages import Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import fold
from flitstack.emulator.work import Change, Values, Work

KIND = "duplicate_rule"
_TEXTS = frozenset({"String", "Memo"})
_DEFAULTS: Mapping[str, Document] = {
    f"{table}s with the same e-mail address": {"table": table, "columns": ["emailaddress1"]}
    for table in ("account", "contact", "lead")
}


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """Rows are alike when all columns are: texts without case and accents, everything else exactly.

    `first_characters` compares that many characters of a text only; `excludes_inactive` leaves closed rows out.
    """

    table: str
    columns: tuple[str, ...]
    first_characters: int | None = None
    excludes_inactive: bool = False


def read_rules(store: Store, table: str) -> tuple[DuplicateRule, ...]:
    """The rules of a table: those of the environment, or the default ones where none was ever set."""
    found = read_documents(store, KIND) or _DEFAULTS
    return tuple(parse_rule(document) for document in found.values() if document.get("table") == table)


def parse_rule(document: Document) -> DuplicateRule:
    """A rule from its document. ValueError for one that compares nothing."""
    columns, length = document.get("columns"), document.get("first_characters")
    if not isinstance(columns, list) or not columns or not isinstance(document.get("table"), str):
        raise ValueError("a rule names a table and its columns")
    return DuplicateRule(
        str(document["table"]),
        tuple(map(str, columns)),
        length if isinstance(length, int) else None,
        document.get("excludes_inactive") is True,
    )


def refuse_duplicates(work: Work, model: EntityModel, changes: Sequence[Change]) -> None:
    """0x80040333 when a row about to be written is like another; its status is a switch."""
    rules = read_rules(work.store, model.name)
    seen: set[tuple[object, ...]] = set()
    for change in changes:
        for number, rule in enumerate(rules):
            if change.before is not None and not any(column in change.values for column in rule.columns):
                continue
            values = {column: change.after(column) for column in rule.columns}
            key = (number, *(fold(value) if isinstance(value, str) else value for value in values.values()))
            is_repeated = change.before is None and None not in values.values() and key in seen
            seen.add(key)
            if is_repeated or duplicates(work, model, rule, values, change.id):
                raise Refusal(
                    work.store.switches.duplicate_status,
                    "0x80040333",
                    "A record was not created or updated because a duplicate of the current record already exists.",
                )


def duplicates(work: Work, model: EntityModel, rule: DuplicateRule, values: Values, own: bytes | None) -> list[bytes]:
    """Ids of the rows that are like these values by a rule."""
    parts, parameters = list[str](), list[object]()
    for column in rule.columns:
        value = values.get(column)
        known = model.stored.get(column)
        if value is None or value == "" or known is None:
            return []
        sql, mark = quoted(column), "?"
        if known.type in _TEXTS:
            if rule.first_characters is not None:
                sql, mark = f"substr({sql}, 1, {rule.first_characters})", f"substr(?, 1, {rule.first_characters})"
            sql, mark = f"fold({sql})", f"fold({mark})"
        parts.append(f"{sql} = {mark}")
        parameters.append(value)
    if rule.excludes_inactive and model.table.states:
        parts.append(f"statecode = {model.table.states[0].value}")
    id_column = quoted(model.table.id_column)
    statement = (
        f"SELECT {id_column} FROM {work.store.ensure(model)} WHERE {' AND '.join(parts)} AND {id_column} IS NOT ?"
    )
    return [row[0] for row in work.store.connection.execute(statement, (*parameters, own))]
