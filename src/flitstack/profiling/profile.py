"""Profile a staged snapshot: fill, variety, kinds of values, ranges, personal data, repeated keys."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flitstack.documents import save_json
from flitstack.packs.types import Pack, SourceObject
from flitstack.profiling.document import FieldProfile, KeyProfile, ObjectProfile, ProfileDocument, TopValue
from flitstack.profiling.personal import personal_reason
from flitstack.profiling.values import CUT, KINDS, READ, collect_values, read_values
from flitstack.staging.document import StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

NEARLY_ALL = 0.9
TOP = 5
LONGEST_SHOWN = 40
# What reads a value of a declared type; types that any text fits are not checked.
READERS = {
    "number": "number", "money": "number", "date": "date", "datetime": "date", "email": "email", "boolean": "boolean", "url": "url",
}  # fmt: skip
KEY_FUNCTIONS = {"email": "email_key", "phone": "phone_key", "url": "host_key"}

Row = tuple[Any, ...]
Tops = dict[tuple[str, str], list[tuple[str, int]]]


def profile(
    pack: Pack, staged: StagingDocument, staged_folder: Path, folder: Path, decisions: Mapping[str, Any], engine: Engine
) -> ProfileDocument:
    """Describe every field and save `folder/document.json`. Reads everything once, looks at values in a sample."""
    sampled = collect_values(engine, staged.tables, staged_folder)
    read_values(engine, decisions)
    values = _value_facts(engine)
    frequent, shapes = _top(engine, "value", 2), _top(engine, "shape(value)", 1)
    objects = {}
    for name, table in staged.tables.items():
        source = pack.objects[name]
        parquet = staged_folder / table.parquet
        counted = _counts(engine, table, parquet)
        objects[name] = ObjectProfile(
            object=name,
            label=source.label or name,
            records=table.records,
            sampled=sampled[name],
            fields=tuple(
                _field_profile(engine, source, table, number, row, values.get((name, row[0])), frequent, shapes)
                for number, row in enumerate(counted)
            ),
            keys=_keys(engine, source, table, parquet),
            missing=table.missing,
        )
    document = ProfileDocument(staged.fingerprint, datetime.now(UTC).isoformat(timespec="seconds"), objects)
    save_json(folder / "document.json", document)
    return document


def _counts(engine: Engine, table: StagedTable, parquet: Path) -> list[Row]:
    """(field, filled, distinct, shortest, longest) of every field, in order, over all records, in one pass."""
    if not table.fields:
        return []
    parts = []
    for field in table.fields:
        name = quoted(field.name)
        parts.append(
            f"count({name}), approx_count_distinct({name}), coalesce(min(length({name})), 0), coalesce(max(length({name})), 0)"
        )
    flat = engine.one(f"SELECT {', '.join(parts)} FROM {read_parquet(parquet)}")
    return [(field.name, *flat[4 * index : 4 * index + 4]) for index, field in enumerate(table.fields)]


def _value_facts(engine: Engine) -> dict[tuple[str, str], Row]:
    """(object, field) -> sampled values, a count a kind, least and greatest number and date, outliers, distinct values."""
    counts = ", ".join(f"coalesce(sum(records) FILTER (is_{kind}), 0)" for kind in KINDS)
    # Numbers far outside the middle half, Tukey's "far out" fence.
    rows = engine.rows(
        f"""WITH fences AS (
            SELECT object, field, quantile_cont(number::DOUBLE, 0.25) AS q1, quantile_cont(number::DOUBLE, 0.75) AS q3
            FROM {READ} WHERE is_number GROUP BY ALL)
        SELECT object, field, sum(records), {counts}, min(number), max(number), min(moment), max(moment),
            coalesce(sum(records) FILTER (number::DOUBLE NOT BETWEEN q1 - 3 * (q3 - q1) AND q3 + 3 * (q3 - q1)), 0),
            count(*)
        FROM {READ} LEFT JOIN fences USING (object, field) GROUP BY object, field"""
    )
    return {(str(row[0]), str(row[1])): row[2:] for row in rows}


def _top(engine: Engine, shown: str, at_least: int) -> Tops:
    """(object, field) -> the most frequent short texts that occur so often, with their numbers of records."""
    rows = engine.rows(
        f"SELECT object, field, {shown} AS shown, sum(records) AS n FROM {READ}"
        f" WHERE records >= {at_least} AND (length <= {LONGEST_SHOWN} OR {at_least} = 1) GROUP BY object, field, shown"
        f" QUALIFY row_number() OVER (PARTITION BY object, field ORDER BY n DESC, shown) <= {TOP} ORDER BY n DESC, shown"
    )
    tops: Tops = {}
    for name, field, text, records in rows:
        tops.setdefault((str(name), str(field)), []).append((str(text), int(records)))
    return tops


def _field_profile(
    engine: Engine,
    source: SourceObject,
    table: StagedTable,
    number: int,
    counted: Row,
    facts: Row | None,
    frequent: Tops,
    shapes: Tops,
) -> FieldProfile:
    staged = table.fields[number]
    declared = source.fields.get(staged.name) if staged.known else None
    place = (source.name, staged.name)
    _, filled, distinct, shortest, longest = counted
    seen = int(facts[0]) if facts else 0
    exact = int(facts[-1]) if facts and seen == filled and longest <= CUT else None
    kinds = {kind: int(facts[1 + i]) / seen for i, kind in enumerate(KINDS)} if facts and seen else {}
    kind = _kind(kinds, int(facts[-1]) if facts else 0)
    personal = personal_reason(declared, staged.header, kinds)
    low, high, outliers = _range(kind, facts)
    reader = READERS.get(declared.type, "") if declared else ""
    unreadable = round(seen * (1 - kinds.get(reader, 0))) if reader else 0
    # A rare value may name somebody wherever it stands, so only what repeats is shown as it is.
    as_is = [] if personal else frequent.get(place, [])
    return FieldProfile(
        name=staged.name,
        header=staged.header,
        known=staged.known,
        declared=declared.type if declared else "",
        filled=int(filled),
        # The sketch can say more than there is.
        distinct=exact if exact is not None else min(int(distinct), int(filled)),
        shortest=int(shortest),
        longest=int(longest),
        kind=kind,
        kinds={k: round(share, 4) for k, share in kinds.items() if share},
        unreadable=unreadable,
        unreadable_shapes=_unreadable_shapes(engine, place, reader) if unreadable else (),
        low=low,
        high=high,
        outliers=outliers,
        personal=personal,
        top=tuple(TopValue(text, records, not as_is) for text, records in as_is or shapes.get(place, [])),
    )


def _unreadable_shapes(engine: Engine, place: tuple[str, str], reader: str) -> tuple[str, ...]:
    found = engine.rows(
        f"SELECT shape(value) AS shown, sum(records) AS n FROM {READ} WHERE object = ? AND field = ?"
        f" AND NOT is_{reader} GROUP BY shown ORDER BY n DESC, shown LIMIT 3",
        list(place),
    )
    return tuple(str(row[0]) for row in found)


def _kind(kinds: Mapping[str, float], distinct: int) -> str:
    """What nearly all values are: the narrowest kind that fits. 0 and 1 alone are truth values, other digits numbers."""
    for kind in ("email", "boolean", "phone", "date", "number", "url"):
        if kinds.get(kind, 0) >= NEARLY_ALL and (kind != "boolean" or 1 < distinct <= 4):
            return kind
    return "html" if kinds.get("html", 0) > 0.1 else "text"


def _range(kind: str, facts: Row | None) -> tuple[str, str, int]:
    if facts is None or kind not in {"number", "date"}:
        return "", "", 0
    first = 1 + len(KINDS)
    if kind == "number":
        return _plain(facts[first]), _plain(facts[first + 1]), int(facts[first + 4])
    return str(facts[first + 2])[:10], str(facts[first + 3])[:10], 0


def _plain(number: Any) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


def _keys(engine: Engine, source: SourceObject, table: StagedTable, parquet: Path) -> tuple[KeyProfile, ...]:
    """The key field and every field whose type can identify, each written in its one way, over all records."""
    keys = {}
    for field in table.fields:
        declared = source.fields.get(field.name) if field.known else None
        is_key = field.name == source.key and not source.also_key
        function = "clean" if is_key else KEY_FUNCTIONS.get(declared.type, "") if declared else ""
        # A web address identifies a company; of a person it is a page on a network that millions share.
        is_own = not declared or (
            not declared.links and (declared.type != "url" or declared.means.startswith("company."))
        )
        if function and is_own:
            keys[field.name] = function
    if not keys:
        return ()
    counted = ", ".join(f"count({f}({quoted(n)})), count(DISTINCT {f}({quoted(n)}))" for n, f in keys.items())
    flat = engine.one(f"SELECT {counted} FROM {read_parquet(parquet)}")
    return tuple(
        KeyProfile(name, function, int(flat[2 * i]), int(flat[2 * i + 1]))
        for i, (name, function) in enumerate(keys.items())
    )
