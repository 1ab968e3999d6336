"""The SQL encoder against a slow encoder in plain Python."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from destinations.send_rows import arrow_rows, as_decimals, parsed, reference_object, row_strategy, some_id
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Table
from flitstack.destinations.dataverse.encoding import LOOKUPS, create_encoder, navigation_of
from flitstack.destinations.faults import Fatal
from flitstack.destinations.port import Encoder

CATALOGUE = load_catalogue()
SETS = {name: table.entity_set for name, table in CATALOGUE.tables.items()}
PARTIES = navigation_of(CATALOGUE.tables["activityparty"].columns["partyid"])


def encode(encoder: Encoder, rows: pa.Table) -> list[str]:
    lookups = [n for n in rows.column_names if f"{n}__table" in rows.column_names or n == "_row"]
    typed = ", ".join(f'CAST("{n}" AS UUID) AS "{n}"' for n in lookups)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")  # the text must not depend on it
        connection.register("plain", rows)
        return [
            r[0].removesuffix(",")
            for r in connection.sql(f"SELECT {encoder.sql} FROM (SELECT * REPLACE ({typed}) FROM plain)").fetchall()
        ]


def encoder_of(table: str, columns: list[str], **options: bool) -> Encoder:
    chosen = {"with_id": True, "nulls": False, "parties": False, **options}
    return create_encoder(CATALOGUE.tables[table], columns, SETS, PARTIES, **chosen)


def writable(table: Table) -> list[str]:
    known = [
        c
        for c in table.columns.values()
        if c.creatable and c.is_web_api and c.type not in {"PartyList", "Uniqueidentifier"}
    ]
    writable_types = {
        "String",
        "Memo",
        "MultiSelectPicklist",
        "Integer",
        "BigInt",
        "Picklist",
        "Boolean",
        "Money",
        "Decimal",
        "Double",
        "DateTime",
    }
    return [
        c.name
        for c in known
        if c.type in writable_types or (c.type in LOOKUPS and c.targets and all(t in SETS for t in c.targets))
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", ["contact", "opportunity", "task", "quote"])
def test_the_text_means_what_the_slow_encoder_says(name: str, data: st.DataObject) -> None:
    table = CATALOGUE.tables[name]
    columns = data.draw(st.lists(st.sampled_from(writable(table)), min_size=1, max_size=12, unique=True))
    rows = data.draw(st.lists(row_strategy(table, columns), min_size=1, max_size=5))
    texts = encode(encoder_of(name, columns), arrow_rows(table, columns, rows))
    for text, row in zip(texts, rows, strict=True):
        wanted = reference_object(table, columns, row, SETS)
        assert {k: as_decimals(v) for k, v in parsed(text).items()} == {k: as_decimals(v) for k, v in wanted.items()}


def test_numbers_never_carry_an_exponent() -> None:
    table = CATALOGUE.tables["opportunity"]
    row = {"_row": some_id(1), "estimatedvalue": Decimal("922337203685477.0001"), "closeprobability": 1}
    [text] = encode(encoder_of("opportunity", ["estimatedvalue"]), arrow_rows(table, ["estimatedvalue"], [row]))
    assert '"estimatedvalue":922337203685477.0001' in text
    assert not re.search(r"\d[eE]", text.partition("estimatedvalue")[2])


@pytest.mark.parametrize("number", [27274129.07371, 0.1, 5.0, -0.00001, 1e-7, 1e22])
def test_a_double_is_its_shortest_text(number: float) -> None:
    table = CATALOGUE.tables["contact"]
    row = {"_row": some_id(1), "address1_longitude": number}
    columns = ["address1_longitude"]
    [text] = encode(encoder_of("contact", columns), arrow_rows(table, columns, [row]))
    found = parsed(text)["address1_longitude"]
    assert float(found) == number
    assert found == Decimal(repr(number)) or abs(number) >= 1e16
    assert not re.search(r"\d[eE]", text.partition("longitude")[2])


def test_a_null_lookup_leaves_no_empty_bind() -> None:
    table = CATALOGUE.tables["contact"]
    row = {"_row": some_id(1), "parentcustomerid": None, "firstname": None}
    columns = ["parentcustomerid", "firstname"]
    [text] = encode(encoder_of("contact", columns), arrow_rows(table, columns, [row]))
    assert parsed(text) == {"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": str(some_id(1))}


def test_an_update_sends_nulls_and_clears_lookups() -> None:
    table = CATALOGUE.tables["contact"]
    columns = ["parentcustomerid", "firstname", "lastname"]
    row = {"_row": some_id(1), "parentcustomerid": None, "firstname": None, "lastname": "Ode"}
    [text] = encode(encoder_of("contact", columns, with_id=False, nulls=True), arrow_rows(table, columns, [row]))
    assert parsed(text) == {"parentcustomerid_account@odata.bind": None, "firstname": None, "lastname": "Ode"}


def test_a_lookup_to_a_table_it_cannot_hold_stops() -> None:
    table = CATALOGUE.tables["contact"]
    row = {"_row": some_id(1), "parentcustomerid": ("task", some_id(2))}
    with pytest.raises(duckdb.Error, match="parentcustomerid points to a table it cannot hold: task"):
        encode(encoder_of("contact", ["parentcustomerid"]), arrow_rows(table, ["parentcustomerid"], [row]))


def test_an_unknown_column_stops_before_anything_is_sent() -> None:
    with pytest.raises(Fatal, match="contact has no column x_gone"):
        encoder_of("contact", ["x_gone"])


def test_parties_bind_or_carry_their_address() -> None:
    parties: list[dict[str, Any]] = [
        {"mask": 1, "table": "systemuser", "id": str(some_id(7)), "address": None},
        {"mask": 2, "table": "contact", "id": str(some_id(8)), "address": "a@b.example"},
        {"mask": 3, "table": None, "id": None, "address": 'odd"one@b.example'},
    ]
    rows = [
        {"_row": some_id(1), "subject": "x", "_parties": parties},
        {"_row": some_id(2), "subject": "y", "_parties": None},
    ]
    with_parties, without = encode(
        encoder_of("email", ["subject"], parties=True), arrow_rows(CATALOGUE.tables["email"], ["subject"], rows)
    )
    assert parsed(with_parties)["email_activity_parties"] == [
        {"partyid_systemuser@odata.bind": f"/systemusers({some_id(7)})", "participationtypemask": 1},
        {
            "partyid_contact@odata.bind": f"/contacts({some_id(8)})",
            "participationtypemask": 2,
            "addressused": "a@b.example",
        },
        {"participationtypemask": 3, "addressused": 'odd"one@b.example'},
    ]
    assert "email_activity_parties" not in parsed(without)


def test_a_moment_keeps_its_fraction_only_where_it_has_one() -> None:
    table, columns = CATALOGUE.tables["task"], ["scheduledstart"]
    rows = [
        {"_row": some_id(n), "scheduledstart": datetime(2026, 1, 31, 10, tzinfo=UTC).replace(microsecond=m)}
        for n, m in enumerate([0, 120_000])
    ]
    texts = encode(encoder_of("task", columns), arrow_rows(table, columns, rows))
    assert [parsed(t)["scheduledstart"] for t in texts] == ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.12Z"]
