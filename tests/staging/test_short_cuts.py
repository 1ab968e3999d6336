"""Values as programs write them are read on a shorter way: what comes out is what the long way gives."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging.value_columns import column

from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.labels import label_key

laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
BLANKS = " \t\n\u00a0\u2009\u3000\u200b\u200d\ufeff"


def near(pattern: str, letters: str) -> st.SearchStrategy[list[str]]:
    """Texts of a pattern, some with a letter put somewhere."""
    plain = st.from_regex(pattern, fullmatch=True)
    spoilt = st.tuples(plain, st.integers(0, 30), st.sampled_from(letters)).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]
    )
    return st.lists(plain | spoilt, min_size=1, max_size=40)


NUMBERS = near(r"-?[0-9]{1,20}(\.[0-9]{0,12})?", "-.,e'%$ 0a")
MOMENTS = near(
    r"(1[6789]|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{3})?)?(Z|[+-]0[0-9]:[03]0)?)?",
    "Z:-T +0",
)


# A blank before a text takes it the long way: cleaning takes the blank away again.
@laws
@given(NUMBERS)
def test_numbers(module_engine: Engine, texts: list[str]) -> None:
    for sql in ("to_number({})", "typeof(to_number({}))", "to_number({}, '.')"):
        assert column(module_engine, sql.format("x"), texts) == column(module_engine, sql.format("' ' || x"), texts)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
@laws
@given(MOMENTS)
def test_moments_and_days(module_engine: Engine, zone: str, texts: list[str]) -> None:
    for sql in ("epoch_us(to_datetime({}, 'MDY', '" + zone + "'))", "to_date({}, 'DMY')"):
        assert column(module_engine, sql.format("x"), texts) == column(module_engine, sql.format("' ' || x"), texts)


@laws
@given(near(r"[A-ZÉЇ]?[a-zéї]{0,5}([ '’-]?(van|de|[A-ZЇ][a-zї]{0,4}|[A-Z]+))?", ",.( @-'1Aaéß\u0301ªʰ中"))
def test_names(module_engine: Engine, texts: list[str]) -> None:
    for sql in ("person_name({}, 'Lovelace')", "person_name('Ada', {})", "person_name({0}, {0})"):
        found = column(module_engine, sql.format("x"), texts)
        assert found == column(module_engine, sql.format("(' ' || x)"), texts), sql


@laws
@given(st.lists(st.text("ab;" + BLANKS, max_size=12) | st.text(max_size=12), min_size=1, max_size=40))
def test_cleaned_texts_and_lists(module_engine: Engine, texts: list[str]) -> None:
    texts = [text.replace("\0", "").encode("utf-8", "ignore").decode() for text in texts]
    assert column(module_engine, "coalesce(label_key(x), '')", texts) == [label_key(text) for text in texts]
    parts = "list_filter(list_transform(string_split(x, ';'), lambda v: clean(v)), lambda v: v IS NOT NULL)"
    split = column(module_engine, "split_list(x, ';')", texts)
    assert split == column(module_engine, parts, texts)
    keys = column(module_engine, f"list_transform({parts}, lambda v: choice_key(v))", texts)
    assert column(module_engine, "choice_keys(x, ';')", texts) == [
        list(dict.fromkeys(key for key in one if key is not None)) for one in keys
    ]


def test_a_list_parted_by_what_cleaning_takes_away(module_engine: Engine) -> None:
    assert column(module_engine, "split_list(x, chr(10))", ["a \n b\n\nc"]) == [["a", "b", "c"]]
    assert column(module_engine, "split_list(x, ' | ')", ["a | b|c"]) == [["a", "b|c"]]
    assert column(module_engine, "split_list(x, ';')", ["a;\u200d b\u200d;\u200d"]) == [["a", "b"]]
    assert column(module_engine, "split_list(x, ';')", ['["a;b", " c "]']) == [["a;b", "c"]]
