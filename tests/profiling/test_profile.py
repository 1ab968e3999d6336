"""What profiling says about small tables whose rows say what should be found."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flitstack.profiling.values as sampling
from flitstack.documents import load_json
from flitstack.packs.types import Field, Pack, SourceObject
from flitstack.profiling.document import FieldProfile, ProfileDocument
from flitstack.profiling.profile import profile
from flitstack.staging.document import StagedField, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine

FIELDS = {
    "Id": Field("Id", "record.id"),
    "Email": Field("Email", "person.email", "email"),
    "Phone": Field("Phone", "person.phone", "phone"),
    "Amount": Field("Amount", "deal.amount", "money"),
    "Closed": Field("Closed", "deal.close_date", "date"),
    "Stage": Field("Stage", "deal.stage", "choice"),
    "Active": Field("Active", "", "boolean"),
    "Body": Field("Body", "note.body", "html"),
}


def profile_of(tmp_path: Path, columns: Mapping[str, Sequence[str | None]]) -> ProfileDocument:
    count = len(next(iter(columns.values())))
    staged = tmp_path / "staged"
    staged.mkdir(exist_ok=True)
    table = pa.table(
        {"_id": [str(i) for i in range(count)]} | {k: pa.array(v, pa.string()) for k, v in columns.items()}
    )
    pq.write_table(table, staged / "Deal.parquet")
    fields = tuple(StagedField(name, name, name in FIELDS, "name") for name in columns)
    document = StagingDocument(
        "t", "", "f", "", {"Deal": StagedTable("Deal", "Deal.parquet", count, fields, ("Gone",))}, ()
    )
    pack = Pack("t", "T", {"Deal": SourceObject("Deal", (), "Id", FIELDS)}, {}, {}, tmp_path)
    with Engine(tmp_path / "scratch") as engine:
        found = profile(pack, document, staged, tmp_path / "profile", {"date_order": "DMY"}, engine)
    assert load_json(tmp_path / "profile" / "document.json", ProfileDocument) == found
    return found


def field_of(tmp_path: Path, name: str, values: Sequence[str | None]) -> FieldProfile:
    (found,) = profile_of(tmp_path, {name: values}).objects["Deal"].fields
    return found


def test_fill_and_variety_are_counted_over_all_records(tmp_path: Path) -> None:
    found = field_of(tmp_path, "Stage", ["Won", "Won", "Lost", None, None])
    assert (found.filled, found.distinct, found.shortest, found.longest) == (3, 2, 3, 4)


def test_money_in_its_many_spellings_is_a_number_and_what_is_none_is_named_by_shape(tmp_path: Path) -> None:
    values = ["1,234.56", "1.234,56", "(1,200.00)", "$5", "7", "8", "9", "10", "11", "12", "TBD"]
    found = field_of(tmp_path, "Amount", values)
    assert (found.kind, found.unreadable, found.unreadable_shapes) == ("number", 1, ("AAA",))
    assert (found.low, found.high) == ("-1200", "1234.56")


def test_a_number_far_from_the_middle_half_is_an_outlier(tmp_path: Path) -> None:
    found = field_of(tmp_path, "Amount", [str(n) for n in range(100, 140)] + ["9000000"])
    assert found.outliers == 1


def test_dates_give_their_range_and_the_unreadable_ones(tmp_path: Path) -> None:
    found = field_of(tmp_path, "Closed", ["2024-02-01", "31.12.2023", "2025-01-01T10:00:00Z"] * 5 + ["soon"])
    assert (found.kind, found.low, found.high, found.unreadable) == ("date", "2023-12-31", "2025-01-01", 1)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("Phone", ["+49 30 1234567", "(030) 123-4567", "+38 044 555 00 11"], "phone"),
        ("Email", ["a@x.example", "B@x.example", "mailto:c@x.example"], "email"),
        ("Active", ["yes", "no", "yes"], "boolean"),
        ("Body", ["<p>one</p>", "two", "<b>three</b>"], "html"),
        ("Stage", ["Won", "1 of 3", "-"], "text"),
        ("Site", ["https://x.example/a", "www.y.example", "z.example"], "url"),
    ],
)
def test_a_column_is_what_nearly_all_its_values_are(tmp_path: Path, name: str, values: list[str], kind: str) -> None:
    assert field_of(tmp_path, name, values).kind == kind


def test_personal_values_show_as_shapes_and_frequent_others_as_they_are(tmp_path: Path) -> None:
    email = field_of(tmp_path, "Email", ["ana@x.example"] * 3)
    assert email.personal
    assert [(v.text, v.records, v.is_shape) for v in email.top] == [("aaa@a.aaaaaaa", 3, True)]
    stage = field_of(tmp_path, "Stage", ["Won", "Won", "Ana Ruiz"])
    assert [(v.text, v.records, v.is_shape) for v in stage.top] == [("Won", 2, False)]


def test_a_heading_the_pack_does_not_know_can_be_personal(tmp_path: Path) -> None:
    found = field_of(tmp_path, "Дата народження", ["1.2.1990"])
    assert (found.known, found.declared, found.personal) == (False, "", "its heading says so")


def test_repeated_keys_are_counted_in_one_spelling(tmp_path: Path) -> None:
    document = profile_of(tmp_path, {"Id": ["1", "2", "3"], "Email": ["A@x.example", "a@x.example ", "broken"]})
    found = document.objects["Deal"]
    assert [(key.field, key.filled, key.distinct, key.repeated) for key in found.keys] == [
        ("Id", 3, 3, 0),
        ("Email", 2, 1, 1),
    ]
    assert found.missing == ("Gone",)


def test_large_tables_are_looked_at_in_an_even_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLE_RECORDS", 10)
    found = profile_of(tmp_path, {"Amount": [str(n) for n in range(35)]}).objects["Deal"]
    assert (found.records, found.sampled) == (35, 9)
    assert (found.fields[0].filled, found.fields[0].high) == (35, "32")


def test_a_table_without_records_or_fields_is_described_too(tmp_path: Path) -> None:
    assert field_of(tmp_path, "Email", []).filled == 0
    assert field_of(tmp_path, "Email", [None, None]).top == ()
