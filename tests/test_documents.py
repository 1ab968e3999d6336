"""Documents on disk: what is written reads back, a reader never sees half a file, mistakes come with their line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flitstack.documents import (
    edit_yaml,
    file_sha256,
    fingerprint,
    load_json,
    read_yaml,
    save_bytes,
    save_json,
    to_json,
    write_yaml,
)
from flitstack.errors import UsageError


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    count: int
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    title: str
    parts: tuple[Part, ...]
    by_name: dict[str, Part]
    tags: frozenset[str] = frozenset()
    notes: list[str | None] = field(default_factory=list)
    first: Part | None = None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARTS = st.builds(
    Part, TEXT, st.integers(-(2**53), 2**53), st.none() | st.floats(allow_nan=False, allow_infinity=False)
)
WHOLES = st.builds(
    Whole,
    TEXT,
    st.lists(PARTS, max_size=4).map(tuple),
    st.dictionaries(TEXT, PARTS, max_size=4),
    st.frozensets(TEXT, max_size=4),
    st.lists(st.none() | TEXT, max_size=4),
    st.none() | PARTS,
)


@given(WHOLES)
def test_a_document_written_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, whole: Whole) -> None:
    path = tmp_path_factory.mktemp("documents") / "document.json"
    save_json(path, whole)
    assert load_json(path, Whole) == whole


def test_equal_documents_have_equal_bytes_whatever_the_order_of_keys() -> None:
    assert to_json({"b": 1, "a": {"d": 2, "c": 3}}) == to_json({"a": {"c": 3, "d": 2}, "b": 1})


def test_a_document_of_another_kind_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    save_json(path, {"name": "x"})
    with pytest.raises(UsageError, match="is no Part") as caught:
        load_json(path, Part)
    assert caught.value.problems[0].code == "document-unreadable"


def test_an_absent_document_is_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "none.json", Part)


def test_replacing_leaves_the_old_content_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_bytes(path, b"old")
    with pytest.raises(TypeError):
        save_bytes(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    save_bytes(tmp_path / "secret", b"x", mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_parts_of_a_fingerprint_do_not_run_into_each_other() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("ü") == fingerprint("ü".encode())


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


YAML_TEXT = """\
# why this map exists
format: 1
routes:
  - table: lead  # the first one
    columns:
      firstname: {from: Name, status: proposed}
"""


def test_comments_survive_reading_changing_and_writing(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(YAML_TEXT)
    data = edit_yaml(path)
    data["routes"][0]["columns"]["firstname"]["status"] = "confirmed"
    write_yaml(path, data)
    assert path.read_text() == YAML_TEXT.replace("proposed", "confirmed")


def test_every_key_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(YAML_TEXT)
    _, lines = read_yaml(path)
    assert lines[("routes", "0", "table")] == 4
    assert lines[("routes", "0", "columns", "firstname", "from")] == 6


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"a: 1\nb: [1, 2\n", 3, "is no YAML"),
        (b"a: 1\na: 2\n", 2, "is no YAML"),
        (b"- one\n- two\n", 1, "must hold a mapping"),
        (b"a: \xff\n", 1, "UTF-8"),
        (b"a: \x01\n", 1, "is no YAML"),
        (b"x: 1\nformat: 9\n", 2, "has format 9"),
    ],
)
def test_what_is_no_yaml_mapping_is_named_with_its_line(tmp_path: Path, text: bytes, line: int, what: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=what) as caught:
        read_yaml(path)
    assert caught.value.problems[0].where == f"{path}:{line}"


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path / "empty.yaml") == ({}, {})


def test_an_older_format_is_upgraded_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("owner: Ana\n")

    def to_two(data: dict[str, Any]) -> dict[str, Any]:
        return {"owners": [data["owner"]]}

    def to_three(data: dict[str, Any]) -> dict[str, Any]:
        return {"owners": dict.fromkeys(data["owners"], "user")}

    data, _ = read_yaml(path, version=3, upgrades={1: to_two, 2: to_three})
    assert data == {"owners": {"Ana": "user"}, "format": 3}


@given(st.dictionaries(st.text("abc", min_size=1), st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT)))
def test_plain_data_written_as_yaml_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    write_yaml(path, data)
    assert read_yaml(path)[0] == data
