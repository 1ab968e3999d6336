"""Files, tags, and records that no route takes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mapping.map_case import MapCase, Mapped

from flitstack.catalogue.read import load_table
from flitstack.catalogue.types import Column, Option, Table
from flitstack.errors import UsageError

FILE = """routes:
  - {table: annotation, name: file, phase: rest, key: Id, columns: {subject: {from: Name}},
     file: {path: Path, name: Name, mime: Mime, limit_kb: limit}}"""


@pytest.mark.parametrize(
    ("path", "name", "found"),
    [
        ("files/a.txt", "a.txt", "files/a.txt"),
        (".\\Files\\A.TXT", "a.txt", "files/a.txt"),
        ("C:\\Users\\me\\b.pdf", "b.pdf", "deep/er/b.pdf"),
        ("../../etc/passwd", "passwd", "file_missing"),
        ("/etc/passwd", "passwd", "file_missing"),
        (None, "x.txt", "file_missing"),
        ("twin.txt", "twin.txt", "file_missing"),
        ("files/empty.txt", "e.txt", "empty_file"),
        ("files/big.bin", "big.bin", "file_too_large"),
        ("files/raw", "run.EXE ", "blocked_type"),
    ],
)
def test_a_file_is_one_of_the_exports_or_the_record_is_held(
    case: Callable[..., MapCase], path: str | None, name: str, found: str
) -> None:
    attachments = {
        "files/a.txt": 5, "deep/er/b.pdf": 9, "x/twin.txt": 1, "y/twin.txt": 1,
        "files/empty.txt": 0, "files/big.bin": 2049, "files/raw": 7,
    }  # fmt: skip
    mapped = case(
        objects={"File": [{"Id": "1", "Path": path, "Name": name, "Mime": None}]},
        maps={"File": FILE},
        decisions={"limit": 2},
        context={"attachments": attachments, "blocked_extensions": frozenset({"exe"})},
    ).run()
    rows = mapped.rows["file"]
    if not rows:
        assert mapped.findings == [(found, "1", "held", "Path")]
        return
    assert rows["1"]["_content"] == found
    assert rows["1"]["_content_size"] == attachments[found]
    assert rows["1"]["filename"] == name.strip()
    assert rows["1"]["isdocument"] is True


@pytest.mark.parametrize(
    ("path", "name", "said", "kind"),
    [
        ("raw", "Offer.DOCX", None, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("raw", "raw", None, "application/pdf"),
        ("raw", "raw", "text/x-own", "text/x-own"),
        ("a.png", None, " ", "image/png"),
        ("letters", None, None, "text/plain"),
        ("odd", None, None, "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_said_or_told_by_its_name_or_its_bytes(
    case: Callable[..., MapCase], tmp_path: Path, path: str, name: str | None, said: str | None, kind: str
) -> None:
    contents = {"raw": b"%PDF-1.7", "a.png": b"x", "letters": "Zażółć\n".encode() * 20, "odd": b"\x00\x01"}
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    mapped = case(
        objects={"File": [{"Id": "1", "Path": path, "Name": name, "Mime": said}]},
        maps={"File": FILE},
        decisions={"limit": 0},
        context={"attachments": {file: len(content) for file, content in contents.items()}, "export": tmp_path},
    ).run()
    assert mapped.rows["file"]["1"]["mimetype"] == kind


def test_two_files_that_differ_only_in_case_are_two_files(case: Callable[..., MapCase]) -> None:
    listed = ("f/a.txt", "f/A.txt", "F/A.TXT")
    mapped = case(
        objects={"File": [{"Id": str(n), "Path": path, "Name": "n", "Mime": None} for n, path in enumerate(listed, 1)]},
        maps={"File": FILE},
        decisions={"limit": 0},
        context={"attachments": {"f/a.txt": 1, "f/A.txt": 2}},
    ).run()
    assert {record: row["_content"] for record, row in mapped.rows["file"].items()} == {"1": "f/a.txt", "2": "f/A.txt"}
    assert mapped.findings == [("file_missing", "3", "held", "Path")]


def with_tags(column: Column) -> Table:
    contact = load_table("contact")
    return replace(contact, columns={**contact.columns, "t_tags": column})


def choice(**options: int) -> Column:
    """The tags as a multi-select that is there, label=value."""
    listed = tuple(Option(value, label) for label, value in options.items())
    return Column("t_tags", "t_tags", "MultiSelectPicklist", options=listed)


def tagged(
    case: Callable[..., MapCase], strategy: str, tags: list[str | None], options: str = "", there: Column | None = None
) -> Mapped:
    route = (
        "routes: [{table: contact, name: person, phase: contacts, key: Id, columns: {lastname: {from: Id}},"
        " vocabulary: {column: t_tags, field: Tags, of: tags, strategy: how, label: Tags, table: t_tag%s}}]"
    )
    return case(
        objects={"Person": [{"Id": str(number), "Tags": text} for number, text in enumerate(tags, start=1)]},
        maps={"Person": route % options},
        decisions={"how": strategy},
        playbook={"vocabularies": {"tags": {"of": ["Person.Tags"], "separator": ";"}}},
        live={"t_tag": None},
        context={"there": {"contact": with_tags(there)}} if there else {},
    ).run()


def test_variants_of_a_tag_are_one_in_the_most_frequent_spelling(case: Callable[..., MapCase]) -> None:
    mapped = tagged(case, "text", ["Key Account; vip", "key-account;#VIP;Key Account", "Key Account; VIP", "VIP", None])
    assert [row["t_tags"] for row in mapped.rows["person"].values()] == [
        "Key Account, VIP", "Key Account, VIP", "Key Account, VIP", "VIP", None,
    ]  # fmt: skip
    assert mapped.column("person", "t_tags").create == {"type": "String", "length": 4000, "label": "Tags"}


@pytest.mark.parametrize(("count", "kind"), [(49, "String"), (50, "MultiSelectPicklist")])
def test_the_number_of_tags_decides_how_they_are_kept(case: Callable[..., MapCase], count: int, kind: str) -> None:
    mapped = tagged(case, "auto (text below 50)", [f"tag {number:02}" for number in range(count)])
    assert mapped.column("person", "t_tags").type == kind


def test_options_that_the_map_numbers_keep_their_numbers(case: Callable[..., MapCase]) -> None:
    mapped = tagged(case, "multiselect", ["b; a", "c"], ", options: {b: 727000007}")
    options = mapped.column("person", "t_tags").create["options"]
    assert options == [[727000008, "a"], [727000007, "b"], [727000009, "c"]]
    assert [row["t_tags"] for row in mapped.rows["person"].values()] == ["727000007,727000008", "727000009"]


def test_a_word_that_the_environment_knows_keeps_its_number_and_a_new_one_comes_after_the_highest(
    case: Callable[..., MapCase],
) -> None:
    there = choice(b=727000000, c=727000001, gone=727000005)
    mapped = tagged(case, "multiselect", ["B; a", "c;d", "gone"], there=there)
    options = mapped.column("person", "t_tags").create["options"]
    assert options == [
        [727000006, "a"], [727000000, "b"], [727000001, "c"], [727000007, "d"], [727000005, "gone"],
    ]  # fmt: skip
    assert [row["t_tags"] for row in mapped.rows["person"].values()] == [
        "727000000,727000006", "727000001,727000007", "727000005",
    ]  # fmt: skip


@pytest.mark.parametrize("options", ["{a: 727000000}", "{b: 727000004}"])
def test_a_number_of_the_map_that_the_environment_gives_otherwise_is_refused(
    case: Callable[..., MapCase], options: str
) -> None:
    with pytest.raises(UsageError, match=r"contact\.t_tags, the destination has it otherwise"):
        tagged(case, "multiselect", ["b; a"], f", options: {options}", there=choice(b=727000000))


@pytest.mark.parametrize(("count", "there"), [(60, "String"), (10, "MultiSelectPicklist"), (10, "Memo")])
def test_tags_stay_of_the_kind_they_have_in_the_environment(
    case: Callable[..., MapCase], count: int, there: str
) -> None:
    words = [f"tag {number:02}" for number in range(count)]
    mapped = tagged(case, "auto (text below 50)", words, there=Column("t_tags", "t_tags", there, max_length=4000))
    assert mapped.column("person", "t_tags").type == there


def test_tags_can_be_rows_joined_to_the_records(case: Callable[..., MapCase]) -> None:
    mapped = tagged(case, "table", ["b; a", None])
    assert {row["t_name"] for row in mapped.rows["tags"].values()} == {"a", "b"}
    links: list[dict[str, Any]] = mapped.rows["person"]["1"]["_links"]
    assert [link["relationship"] for link in links] == ["t_tag_contact"] * 2
    assert {link["digest"] for link in links} == {row["_digest"] for row in mapped.rows["tags"].values()}
    assert mapped.document.links == {"t_tag_contact": ("t_tag", "contact")}
    assert not mapped.route("tags").is_primary


def test_a_route_that_no_decision_leaves_standing_excludes_its_records(case: Callable[..., MapCase]) -> None:
    route = "routes: [{table: task, name: job, phase: rest, key: Id, when: \"decision('on') = 'yes'\", columns: {subject: {from: Id}}}]"
    mapped = case(objects={"Job": [{"Id": "1"}]}, maps={"Job": route}, decisions={"on": "no"}).run()
    assert not mapped.document.routes
    assert mapped.document.excluded == {"Job": 1}
    assert mapped.findings == [("out_of_scope", "1", "excluded", "")]


def test_a_check_lists_or_holds_as_it_says(case: Callable[..., MapCase]) -> None:
    route = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {name: {from: Id}}, checks: [
      {code: negative_money, when: "to_number(V) < 0", field: V, outcome: loaded},
      {code: bad_schedule, when: "V = '0'", field: V, outcome: held}]}"""
    rows = [{"Id": "1", "V": "-1"}, {"Id": "2", "V": "0"}, {"Id": "3", "V": None}]
    mapped = case(objects={"Deal": rows}, maps={"Deal": route}).run()
    assert sorted(mapped.rows["deal"]) == ["1", "3"]
    assert mapped.findings == [("bad_schedule", "2", "held", "V"), ("negative_money", "1", "loaded", "V")]
