"""The value functions: a table of hostile values, and laws that hold for any text."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging.value_columns import column
from staging.value_examples import EXAMPLES, OF_NULL

from flitstack.errors import shape_of
from flitstack.keys import SourceKey
from flitstack.mapping.choices import choice_key
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.labels import label_key

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
# Binding a query costs more than evaluating it: each example of a law is a whole column of values.
TEXTS = st.lists(ANY_TEXT, min_size=1, max_size=40)
EARLIEST, LATEST = datetime.fromisoformat("1753-01-02"), datetime.fromisoformat("9999-12-30")
FUNCTIONS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "functions.md"
laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)


def call(engine: Engine, sql: str, *values: Any) -> Any:
    return engine.one(f"SELECT {sql}", list(values))[0]


@pytest.mark.parametrize(("sql", "expected"), EXAMPLES, ids=[sql[:60] for sql, _ in EXAMPLES])
def test_a_value_reads_as_the_table_says(module_engine: Engine, sql: str, expected: Any) -> None:
    assert call(module_engine, sql) == expected


@pytest.mark.parametrize("sql", OF_NULL)
def test_nothing_in_gives_nothing_out(module_engine: Engine, sql: str) -> None:
    assert module_engine.one(f"SELECT {sql} FROM (SELECT NULL::VARCHAR AS n)")[0] is None


def test_every_function_of_the_table_is_documented() -> None:
    named = {name for sql, _ in EXAMPLES if (name := sql.partition("(")[0]) not in {"length", "repeat"}}
    documented = set(re.findall(r"^\| `([a-z0-9_]+)\(", FUNCTIONS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= documented


@laws
@given(TEXTS)
def test_cleaning_twice_is_cleaning_once(module_engine: Engine, texts: list[str]) -> None:
    for function in ("clean", "edge_trim", "label_key", "choice_key", "email_key", "host_key", "company_words"):
        once = column(module_engine, f"{function}(x)", texts)
        twice = column(module_engine, f"{function}({function}(x))", texts)
        assert twice == once, function


@laws
@given(TEXTS, st.integers(0, 60))
def test_a_cut_text_fits_begins_the_text_and_loses_less_than_two_units(
    module_engine: Engine, texts: list[str], units: int
) -> None:
    for text, kept in zip(texts, column(module_engine, "cut_utf16(x, ?)", texts, units), strict=True):
        length = len(kept.encode("utf-16-le")) // 2
        assert text.startswith(kept)
        assert length <= units
        assert kept == text or length >= units - 1


@laws
@given(TEXTS)
def test_lengths_are_those_of_utf16(module_engine: Engine, texts: list[str]) -> None:
    assert column(module_engine, "utf16_length(x)", texts) == [len(text.encode("utf-16-le")) // 2 for text in texts]


def test_a_megabyte_is_cut_in_bounded_memory(module_engine: Engine) -> None:
    sql = "length(cut_utf16(repeat('ab😀', 500000), 100000))"
    assert call(module_engine, sql) == 75_000


@laws
@given(st.lists(st.decimals(min_value=-(10**12), max_value=10**12, places=2), min_size=1, max_size=40))
def test_any_amount_reads_back_from_its_usual_spellings(module_engine: Engine, amounts: list[Any]) -> None:
    plain = [f"{amount:,.2f}" for amount in amounts]
    german = [text.replace(",", "_").replace(".", ",").replace("_", ".") for text in plain]
    accounting = [f"({text[1:]})" if text.startswith("-") else text for text in plain]
    blanks = [text.replace(",", "\u00a0") for text in plain]
    signs = [f"${text}" for text in plain]
    behind = [f"{text} €" for text in german]
    for spelled in ([str(amount) for amount in amounts], plain, german, accounting, blanks, signs, behind):
        assert column(module_engine, "to_number(x)", spelled) == amounts, spelled


@laws
@given(st.lists(st.datetimes(min_value=EARLIEST, max_value=LATEST), min_size=1, max_size=40))
def test_a_moment_reads_back_from_iso_text(module_engine: Engine, moments: list[datetime]) -> None:
    expected = [moment.replace(microsecond=0) for moment in moments]
    texts = [moment.isoformat() for moment in expected]
    for spelled in (texts, [f"{text}Z" for text in texts], [text.replace("T", " ") for text in texts]):
        assert column(module_engine, "timezone('UTC', to_datetime(x, 'DMY', 'UTC'))", spelled) == expected


@laws
@given(TEXTS)
def test_no_text_makes_a_function_fail(module_engine: Engine, texts: list[str]) -> None:
    calls = [re.sub(r"\bn\b", "x", call) for call in OF_NULL] + ["person_name(x, x)", "is_unsafe_html(x)"]
    for sql in calls:
        assert len(column(module_engine, sql, texts)) == len(texts)


@pytest.mark.parametrize("text", ["Ana42@example.com", "Їжак-77, ÀÉ", "x" * 30, "12.5 €", ""])
def test_shapes_are_those_of_messages(module_engine: Engine, text: str) -> None:
    assert call(module_engine, "shape(?)", text) == shape_of(text)


def test_the_digest_is_that_of_a_source_key(module_engine: Engine) -> None:
    key = SourceKey("klipy", "Contact", "per_1/ü")
    assert call(module_engine, "source_digest(?, ?, ?)", "klipy", "Contact", "per_1/ü") == key.digest()


def test_a_function_is_made_when_a_statement_names_it_whatever_its_case(tmp_path: Path) -> None:
    made = "SELECT count(*) FROM duckdb_functions() WHERE database_name = 'temp' AND NOT internal"
    with Engine(tmp_path) as engine:
        assert engine.one(made) == (0,)
        assert engine.types("SELECT Given_Name('Ana Lee')") == ["VARCHAR"]
        assert engine.table("SELECT RTF_Text('{\\rtf1 a}') AS x").to_pylist() == [{"x": "a"}]
        engine.run("CREATE TEMP VIEW numbers AS SELECT to_number('1,5') AS n")
        assert engine.one("SELECT count(n) FROM numbers") == (1,)
        assert next(engine.batches("SELECT email_key('A@x.com') AS x", 10)).to_pylist() == [{"x": "a@x.com"}]


def test_labels_that_people_write_are_met_as_the_engine_meets_them(module_engine: Engine) -> None:
    letters = [chr(code) for code in (*range(1, 0x3100), *range(0xFE00, 0x10000), *range(0x10400, 0x10500))]
    texts = [text for letter in letters for text in (f"A{letter} b", f"{letter}{letter}B{letter}")]
    engines = [key or "" for key in column(module_engine, "label_key(x)", texts)]
    assert [label_key(text) for text in texts] == engines
    engines = [key or "" for key in column(module_engine, "choice_key(x)", texts)]
    assert [choice_key(text) for text in texts] == engines
