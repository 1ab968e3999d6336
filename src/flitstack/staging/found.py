"""Tables of the export that no object of the pack is in: each becomes an object of its own, none is dropped in silence.

What such a table is called comes from its file or sheet; its key, and which of its columns point to another object, from
the values of all its records.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from flitstack.packs.found import singular, with_found
from flitstack.packs.page import Page
from flitstack.packs.read import common_headers, read_object
from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.engine.engine import Engine, quoted
from flitstack.staging.recognise import header_key

if TYPE_CHECKING:
    from flitstack.staging.parts import Part

LINK_SAMPLE = 1_000  # distinct values of a column that are looked up in another object's keys
LINK_SHARE = 0.5  # of them that must be there: half of what is written like no number is no chance
NUMBER_SHARE = 0.9
KEY_SHARE = (
    0.98  # of records that a column called an id must tell apart: two records of one id are a finding, no reason
)
_MEANINGS = ("record.owner", "record.created_at")
_NO_NAME = re.compile(
    r"(?:sheet|table|tabelle|feuil|hoja|arkusz|аркуш|лист|sayfa|data|export)?[\s_-]*\d*", re.IGNORECASE
)
_NUMBERS_AT_END = re.compile(r"(?<=[^\d\s_.-])[\s_.-]*\d[\d\s_.-]*$")
_ENDS_AS_ID = re.compile(r"(?:id|key|code|no|nr|number|uuid|guid)$")


@dataclass
class FoundTables:
    """The names given so far: by name the columns' names and the patterns of its files."""

    pack: Pack
    headers: dict[str, frozenset[str]] = field(default_factory=dict)
    patterns: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def name(self, path: str, header: Sequence[str]) -> str:
        """The object that a table is: the one of an earlier file with the same columns, else a new one."""
        columns = frozenset(map(header_key, header))
        label = _label(path)
        base = "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", label.replace("_", " "))) or "Table"
        taken = {name.casefold() for name in self.pack.objects} | {
            name.casefold() for name, known in self.headers.items() if known != columns
        }
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}{number}", number + 1
        self.headers[name] = columns
        self.labels.setdefault(name, label)
        self._add_pattern(name, path)
        return name

    def _add_pattern(self, name: str, path: str) -> None:
        pattern = _pattern(path)
        strange = [p for other, patterns in self.patterns.items() if other != name for p in patterns]
        mine = self.patterns.setdefault(name, [])
        chosen = _escaped(path) if pattern in strange else pattern
        if chosen not in mine:
            mine.append(chosen)


def is_portable(path: str, pack: Pack) -> bool:
    """Whether the playbook does not name the file among those that no other system can use."""
    entries = pack.playbook.get("not_portable") or ()
    patterns = [str(pattern).lower() for entry in entries for pattern in entry["files"]]
    name = PurePosixPath(path.lower()).name
    return not any(fnmatch(path.lower(), pattern) or fnmatch(name, pattern) for pattern in patterns)


def complete_found(engine: Engine, pack: Pack, found: FoundTables, parts: Iterable["Part"]) -> Pack:
    """The pack with an object for each table that was found, its key and links told from its records."""
    staged: dict[str, list[Part]] = {}
    for part in parts:
        if part.object and part.parquet is not None:
            staged.setdefault(part.object, []).append(part)
    tables = {name: _Table(name, staged[name]) for name in found.headers if name in staged}
    if not tables:
        return pack
    keys = {name: key for name, table in tables.items() if (key := _key_of(engine, table))}
    targets = dict(_targets(pack, staged)) | {name: (tables[name].sql(), key) for name, key in keys.items()}
    entries = {}
    for name, table in tables.items():
        links = _links(engine, table, keys.get(name, ""), targets)
        several = [keys[name]] if name in keys else _several_keys(engine, table, links)
        entries[name] = _entry(table, several, links, found, pack)
    page = Page(Path("objects.yaml"))
    return with_found(pack, [read_object(name, entry, page, found=True) for name, entry in entries.items()])


@dataclass(frozen=True)
class _Table:
    name: str
    parts: "list[Part]"

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.parts for name in part.columns))

    def sql(self) -> str:
        """Every column under its name, over all files."""
        selects = []
        for part in self.parts:
            places = {name: column.place for name, column in part.columns.items()}
            named = ", ".join(
                f"{f'c{places[name]}' if name in places else 'NULL::VARCHAR'} AS {quoted(name)}"
                for name in self.columns
            )
            selects.append(f"SELECT {named} FROM {part.rows}")
        return f"({' UNION ALL '.join(selects)})"


def _key_of(engine: Engine, table: _Table) -> str:
    """The column that tells records apart: one that is called an id, else the first if all its values differ."""
    own = {header_key(table.name), header_key(singular(table.name))}
    ranks: dict[str, int] = {}
    for place, name in enumerate(table.columns):
        plain = header_key(name)
        if plain in {"id", "key", "uuid", "guid", "recordid"} or plain in {f"{one}id" for one in own}:
            ranks[name] = 0
        elif _ENDS_AS_ID.search(plain) and (place == 0 or any(one in plain for one in own)):
            ranks[name] = 1
        elif place == 0:
            ranks[name] = 2
    for name in sorted(ranks, key=lambda one: ranks[one]):
        records, filled, distinct = _told_apart(engine, table, [name])
        enough = records * (KEY_SHARE if ranks[name] < 2 else 1)
        if records and filled >= enough and distinct >= enough:
            return name
    return ""


def _several_keys(engine: Engine, table: _Table, links: Mapping[str, str]) -> list[str]:
    """Fields that only together tell records apart: what the record joins, then the columns beside."""
    if len(links) < 2:
        return []
    chosen = list(links)
    for name in [None, *(column for column in table.columns if column not in links)][:6]:
        chosen += [name] if name else []
        records, _, distinct = _told_apart(engine, table, chosen)
        if records == distinct:
            return chosen
    return []


def _told_apart(engine: Engine, table: _Table, names: Sequence[str]) -> tuple[int, int, int]:
    """Records, records in which the first of the columns is filled, distinct values of all of them."""
    values = ", ".join(f"clean({quoted(name)}) AS v{place}" for place, name in enumerate(names))
    records, filled, distinct = engine.one(
        f"SELECT sum(n), coalesce(sum(n) FILTER (v0 IS NOT NULL), 0), count(*) FILTER (v0 IS NOT NULL)"
        f" FROM (SELECT {values}, count(*) AS n FROM {table.sql()} GROUP BY ALL)"
    )
    return int(records or 0), int(filled), int(distinct)


def _targets(pack: Pack, staged: Mapping[str, "list[Part]"]) -> Iterable[tuple[str, tuple[str, str]]]:
    """Objects that become rows and are known by one key: name -> (its records as SQL, key)."""
    for name, source in pack.objects.items():
        if source.also_key or not source.key or name not in staged:
            continue
        if source.found or (pack.playbook.get("routes") or {}).get(name):
            table = _Table(name, staged[name])
            if source.key in table.columns:
                yield name, (table.sql(), source.key)


def _links(engine: Engine, table: _Table, key: str, targets: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Column -> the object whose keys its values are; the likeliest where several are."""
    links = {}
    for name in table.columns:
        if name == key:
            continue
        engine.run(
            f"CREATE OR REPLACE TEMP TABLE found_values AS SELECT DISTINCT clean({quoted(name)}) AS v"
            f" FROM {table.sql()} WHERE clean({quoted(name)}) IS NOT NULL LIMIT {LINK_SAMPLE}"
        )
        values, numbers = engine.one(
            "SELECT count(*), count(*) FILTER (regexp_full_match(v, '[0-9]{1,9}')) FROM found_values"
        )
        best = (0.0, False, "")
        for target, (sql, target_key) in targets.items() if values else ():
            named = _is_named_after(name, target, target_key) or (target == table.name and "parent" in header_key(name))
            if numbers * 2 > values and not named:
                continue  # small numbers are in every table
            (met,) = engine.one(
                f"SELECT count(*) FROM found_values WHERE v IN (SELECT clean({quoted(target_key)}) FROM {sql})"
            )
            best = max(best, (met / values, named, target))
        if best[0] >= (NUMBER_SHARE if numbers * 2 > values else LINK_SHARE):
            links[name] = best[2]
    return links


def _is_named_after(column: str, target: str, key: str) -> bool:
    plain = header_key(column)
    names = {header_key(target), header_key(singular(target)), header_key(key)} - {"id", "key", "no", "code"}
    return any(len(name) > 2 and name in plain for name in names)


def _entry(
    table: _Table, key: Sequence[str], links: Mapping[str, str], found: FoundTables, pack: Pack
) -> dict[str, Any]:
    """The object as objects.yaml has it."""
    fields: dict[str, dict[str, str]] = {name: {} for name in table.columns}
    for name, target in links.items():
        fields[name]["links"] = target
    for meaning in _MEANINGS:
        words = _headers_of(meaning, pack)
        for name in table.columns:
            if header_key(name) in words and not fields[name] and name not in key:
                fields[name]["means"] = meaning
                break
    entry = {"label": found.labels[table.name], "files": list(found.patterns[table.name]), "fields": fields}
    return entry | ({"key": key[0] if len(key) == 1 else list(key)} if key else {})


def _headers_of(meaning: str, pack: Pack) -> set[str]:
    """What columns of this meaning are called, by the pack's objects and in other languages."""
    own = {
        header_key(header)
        for source in pack.objects.values()
        for known in source.fields.values()
        if known.means == meaning
        for header in (known.name, *known.headers)
    }
    return own | {header_key(word) for word in common_headers().get(meaning, ())}


def found_remark(source: SourceObject) -> tuple[str, str]:
    """What a person is told of each file of such an object."""
    keys = [key for key in (source.key, *source.also_key) if key]
    known = f"each record is known by {' and '.join(keys)}" if keys else "its records are known by file and number only"
    links = [f"{name} to {known.links}" for name, known in source.fields.items() if known.links]
    joined = f"; {', '.join(links)}" if links else ""
    return "object_found", f"no object of the pack: proposed as a table of its own, {source.name}; {known}{joined}"


def _label(path: str) -> str:
    file, _, within = path.partition("#")
    stem = PurePosixPath(file).stem
    name = within if within and not _NO_NAME.fullmatch(within.strip()) else stem
    plain = _NUMBERS_AT_END.sub("", name.strip()) or name
    words = re.sub(r"[\s_.-]+", " ", plain).strip() or "Table"
    return words[:1].upper() + words[1:]


def _pattern(path: str) -> str:
    """The file's name whatever number or date it ends with; of a workbook with the sheet."""
    file, mark, within = path.partition("#")
    name = PurePosixPath(file)
    stem = _NUMBERS_AT_END.sub("", name.stem)
    end = "*[0-9]" if stem != name.stem else ""
    return f"{_escaped(stem)}{end}{_escaped(name.suffix)}{mark}{_escaped(within)}"


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
