"""YAML read by libyaml and by the reader that keeps comments: the same values, lines and errors."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flitstack import plain_yaml
from flitstack.documents import Lines, edit_yaml, read_yaml, write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.plain_yaml import plain_tree

SRC = Path("src/flitstack")
Answer = tuple[Any, Lines] | tuple[Problem, ...]


def answer(path: Path) -> Answer:
    try:
        return read_yaml(path)
    except UsageError as error:
        return error.problems


def both_answers(path: Path) -> tuple[Answer, Answer]:
    """As read here, and as read on a platform without libyaml."""
    fast = answer(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_yaml, "_Parser", None)
        return fast, answer(path)


def spelled(data: Any) -> str:
    """Types, order and values, so that 1 is not True and 1.0 is not 1."""
    return repr(data)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ALIKE = st.sampled_from(
    ("no", "yes", "on", "off", "True", "null", "~", "12:30", "0o17", "010", "1_000", "1e3", "2026-11-21", "<<", "=", "- a", "a: b", "#", "")
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.dates() | TEXT | ALIKE
DOCUMENTS = st.dictionaries(
    TEXT | ALIKE,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | ALIKE, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(DOCUMENTS)
def test_documents_that_we_write_read_the_same_by_both_readers(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    write_yaml(path, data)
    fast, pure = both_answers(path)
    assert spelled(fast) == spelled(pure)


# Texts as a person with a slipping hand writes them: most are no YAML, all must be told the same way.
PIECES = (
    "a: ", "b: ", "\nc: ", "\n  d: ", "{a: ", "\n? ", "\ne:\n", "a", "ab c", "1", "0", "-", "- ", ": ", ":", "?", ",", "[", "]", "{",
    "}", " #x", "&x ", "*x", "!t ", "|\n", "|-\n", ">\n", ">+2\n", "'", '"', "\\n", "\n", "\n  ", "\n    ", "\n- ", "  ", "true", "no",
    "null", "~", "1.5", "2026-11-21", "2026-13-01", "2026-11-21T10:00:00Z", "2026-11-21 10:00:00 +02:00", "12:30", "%", "@", "---\n",
    "...\n", "<<", "<<: *x", "=", "é", "😀", "\xa0", "0o7", "0x1F", "1_0", "1e3", ".5", ".inf", "\r", "\t", '"a": ', "'b': ", "\u2028",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join))
@example("\n? \n- a: ")  # a key that is a list of mappings
@example("&x a: &x ")  # an anchor given twice
def test_any_text_reads_the_same_or_fails_with_the_same_line_by_both_readers(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    fast, pure = both_answers(path)
    if isinstance(pure[0], Problem) and "overlap in comment" in pure[0].what:
        return  # a comment between key and value, which ruamel.yaml cannot keep and libyaml has no need to
    assert spelled(fast) == spelled(pure)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=str(path.relative_to(SRC)), marks=[pytest.mark.slow] if "catalogue" in path.parts else [])
        for path in sorted(SRC.rglob("*.yaml"))
    ],
)
def test_every_file_that_we_ship_is_read_fast_and_the_same(path: Path) -> None:
    assert plain_tree(path.read_text(encoding="utf-8")) is not None
    fast, pure = both_answers(path)
    assert not isinstance(pure[0], Problem)
    assert spelled(fast) == spelled(pure)


ZONED = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("off", "off"),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("-12", -12),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("'1'", "1"),
        ("2026-11-21", date(2026, 11, 21)),
        ("2026-11-21T10:00:00Z", ZONED),
        ("2026-11-21 12:00:00 +02:00", ZONED),
        ("2026-11-21 10:00:00", datetime(2026, 11, 21, 10)),  # noqa: DTZ001  the text names no zone
        ("|\n  two\n  lines", "two\nlines\n"),
        (">-\n  one\n  line", "one line"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("&x {b: 1}\nagain: *x", {"b": 1}),
        ("{<<: {b: 1, c: 2}, c: 3}", {"b": 1, "c": 3}),
    ],
)
def test_a_value_means_what_yaml_1_2_says(tmp_path: Path, text: str, value: Any) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(f"key: {text}\n")
    fast, pure = both_answers(path)
    assert spelled(fast) == spelled(pure)
    found = read_yaml(path)[0]["key"]
    assert found == value
    assert str(found) == str(edit_yaml(path)["key"]) or isinstance(value, list | dict)
    assert isinstance(found, type(value))


def test_lines_are_those_of_the_keys_and_of_an_anchor_where_an_alias_stands(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("one: &x\n  a: 1\nlist:\n  - *x\n  -\n    - b\ntwo: *x\n\n# why\nlast:\n  yes: 1\n")
    fast, pure = both_answers(path)
    assert fast == pure
    assert plain_tree(path.read_text()) is not None
    _, lines = read_yaml(path)
    assert lines[("two", "a")] == 2
    assert lines[("list", "0")] == 1
    assert lines[("list", "1", "0")] == 6
    assert lines[("last", "yes")] == 11


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "duplicate key"),
        ("a: 1\nb: *nowhere\n", 2, "undefined alias"),
        ("a: 1\nb: @x\n", 2, "cannot start any token"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: 2026-02-30\n", 1, "day is out of range"),
        ("a: " + "[" * 600 + "]" * 600 + "\n", 1, "too deeply"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_to_do(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    fast, pure = both_answers(path)
    assert fast == pure
    (problem,) = fast
    assert isinstance(problem, Problem)
    assert (problem.where, problem.do.split()[0]) == (f"{path}:{line}", "correct")
    assert what in problem.what


def test_what_was_read_to_look_at_is_plain_data(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("a: |\n  x\nb: &n 1_0\nc: {<<: {d: 1.5}}\nd: &t true\ne: *t\n")
    data, _ = read_yaml(path)
    assert {type(value) for value in data.values()} == {str, int, dict, bool}
    assert type(data["c"]["d"]) is float
