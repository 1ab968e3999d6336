"""Laws of the map, over small worlds in which parents are missing, ambiguous, held or repeated."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mapping.map_case import MapCase, Mapped

from flitstack.staging.engine.engine import Engine

FIRM = """routes:
  - {table: account, name: firm, phase: accounts, when: "Kind <> 'x'", key: Id, matches: {id: Id, name: label_key(Name)},
     required: [name], columns: {name: {from: Name}}}
%s"""
PERSON = """routes:
  - table: lead
    name: lead
    phase: contacts
    when: Kind = 'a'
    key: Id
    matches: {id: Id}
    columns:
      lastname: {from: Id}
      leadqualitycode: {from: Size, choices: {s: 1, m: 2}, otherwise: %s}
  - table: contact
    name: person
    phase: contacts
    when: Kind IN ('a', 'b')
    key: Id
    matches: {id: Id}
    columns:
      lastname: {from: Id}
      parentcustomerid: {lookup: [{table: account, via: name, by: label_key(Firm)}], missing: %s, field: Firm}
  - table: task
    name: beside
    phase: rest
    also: true
    when: "Size = 's'"
    key: Id
    matches: {id: Id}
    columns:
      subject: {from: Id}
      regardingobjectid: {lookup: [{table: [lead, contact], via: id, by: Id}], missing: skip}
"""
NOTE = """routes:
  - table: annotation
    name: note
    phase: rest
    key: Id
    matches: {id: Id}
    columns:
      subject: {from: Id}
      objectid: {lookup: [{table: [lead, contact], via: id, by: Person}, {table: account, via: id, by: Firm}], missing: hold}
"""

few = st.sampled_from
firms = st.lists(
    st.tuples(few(["1", "2", "3", None]), few(["Acme", "ACME", "Bolt", None]), few(["x", "y", "z"])), max_size=5
)
people = st.lists(
    st.tuples(
        few(["1", "2", "3", "4", None]), few(["a", "b", "c"]), few(["s", "m", "??"]), few(["acme", "Bolt", None])
    ),
    max_size=6,
)
notes = st.lists(st.tuples(few(["1", "2", "3"]), few(["1", "2", "9", None]), few(["1", "9", None])), max_size=5)
unrouted = few(["", "unrouted: {code: out_of_scope, field: Kind}"])


def world(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[dict[str, str | None]]:
    # A row of blanks keeps the columns of an empty object.
    return [dict(zip(names, row, strict=True)) for row in rows] or [dict.fromkeys(names)]


@given(firms, people, notes, unrouted, few(["hold", "blank"]), few(["hold", "blank"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_every_record_ends_in_exactly_one_place_and_no_row_points_nowhere(
    firms: list[Any], people: list[Any], notes: list[Any], unrouted: str, otherwise: str, missing: str
) -> None:
    objects = {
        "Firm": world(("Id", "Name", "Kind"), firms),
        "Person": world(("Id", "Kind", "Size", "Firm"), people),
        "Note": world(("Id", "Person", "Firm"), notes),
    }
    maps = {"Firm": FIRM % unrouted, "Person": PERSON % (otherwise, missing), "Note": NOTE}
    with TemporaryDirectory() as name, Engine(Path(name) / "scratch", memory_mb=128, threads=2) as engine:
        mapped = MapCase(Path(name), engine, objects, maps).run()
    closes(mapped, {name: len(rows) for name, rows in objects.items()})
    points_to_rows(mapped)


def closes(mapped: Mapped, read: dict[str, int]) -> None:
    """Records = rows of primary routes + held + excluded, for every object; keys are unique in a table."""
    document = mapped.document
    for name, count in read.items():
        rows = sum(route.rows for route in document.routes if route.object == name and route.is_primary)
        assert rows + document.held.get(name, 0) + document.excluded.get(name, 0) == count, name
    held = {(record, code) for code, record, outcome, _ in mapped.findings if outcome == "held"}
    assert bool(held) == bool(sum(document.held.values()))
    for route in document.routes:
        digests = Counter(row["_digest"] for row in mapped.rows[route.name].values())
        assert digests.total() == len(digests) == route.rows


def points_to_rows(mapped: Mapped) -> None:
    """Every lookup leads to a row that is made, in the table it names."""
    tables: dict[str, set[str]] = {}
    for route in mapped.document.routes:
        tables.setdefault(route.table, set()).update(row["_digest"] for row in mapped.rows[route.name].values())
    for route in mapped.document.routes:
        for column in (column.name for column in route.columns if column.kind == "lookup"):
            for row in mapped.rows[route.name].values():
                assert row[column] is None or row[column] in tables[row[f"{column}__table"]]
                assert column == "parentcustomerid" or row[column] is not None
