"""Damaged and unusual files: what cannot be read is told with its place, and costs no more than itself."""

import os
import sys
from dataclasses import replace
from zipfile import ZipFile

import pytest
from openpyxl import Workbook
from staging.export_case import Export, object_of_fields, pack_of

from flitstack.packs.types import Field

DEEP = "[" * 300 + "%s" + "]" * 300


def test_a_header_in_another_encoding_than_its_records_is_told_and_read_by_what_remains(export: Export) -> None:
    records = "".join(f"{number},Łukasz,x\n" for number in range(9))
    staged = export.write("contacts.csv", "Id,Name,Açıklama\n".encode("cp1254") + records.encode()).staged()
    assert staged.how() == {"Id": "name", "Name": "name", "A\ufffd\ufffdklama": "unknown"}
    assert staged.column("Name") == ["Łukasz"] * 9
    (found,) = staged.findings("unreadable_column")
    assert (found["file"], found["outcome"]) == ("contacts.csv", "listed")
    assert "'A\ufffd\ufffdklama'" in found["what"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text_is_told_and_the_others_are_read(export: Export) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n")
    for name in (b"contacts-\xfc.csv", b"scan-\xfc.pdf"):
        (export.folder / "export" / os.fsdecode(name)).write_bytes(b"Id,Name\n2,Bo\n")
    staged = export.staged()
    assert staged.column("Name") == ["Ana"]
    found = [(f["object"], f["file"], f["outcome"]) for f in staged.findings("unreadable_name")]
    assert found == [("", "scan-?.pdf", "listed"), ("Contact", "contacts-?.csv", "held")]


@pytest.mark.parametrize("around", ["[%s]", '{"contacts": [%s], "at": 1}'])
@pytest.mark.parametrize(
    ("broken", "reason", "raw"),
    [
        ('{"Id": 2, "Name": "half \\ud83d"}', "not readable as JSON", '{"Id": "2", "Name": "half \\ud83d"}'),
        ('{"Id": 2, "\\udc00": 1}', "not readable as JSON", '{"Id": "2", "\\udc00": "1"}'),
        ('{"Id": NaN}', "not readable as JSON", '{"Id": "\\udcff"}'),
        ('{"Id": ' + DEEP % "2" + "}", "not readable as JSON", '{"Id": ' + DEEP % '"2"' + "}"),
        ("null", "not a JSON object", "null"),
        ("[2]", "not a JSON object", "[2]"),
    ],
)
def test_a_broken_element_of_a_json_list_is_held_and_the_others_are_read(
    export: Export, around: str, broken: str, reason: str, raw: str
) -> None:
    staged = export.write("contacts.json", around % f'{{"Id": 1}}, {broken}, {{"Id": 3, "Name": "Łu 😀"}}').staged()
    assert (staged.column("Id"), staged.column("Name")) == (["1", "3"], [None, "Łu 😀"])
    assert (staged.rejects(), [f["what"] for f in staged.findings("bad_row")]) == ([(None, "2", raw)], [reason])


def test_bytes_that_are_no_text_cost_one_element_of_a_json_list(export: Export) -> None:
    good = ", ".join(f'\n{{"Id": {number}, "Name": "Łukasz"}}' for number in range(8)).encode()
    staged = export.write("contacts.json", b'{"contacts": [' + good + b', {"Id": 9, "Name": "L\xff"}]}').staged()
    assert staged.column("Name") == ["Łukasz"] * 8
    assert [record for _, record, _ in staged.rejects()] == ["9"]


def test_a_name_with_a_dot_and_a_nested_one_are_two_columns(export: Export) -> None:
    records = '{"Id": 1, "a.b": "flat", "a": {"b": "nested"}}\n{"Id": 2, "a": {"b": "alone"}}\n'
    staged = export.write("contacts.jsonl", records).staged()
    assert (staged.column("a.b"), staged.column("a.b (2)")) == (["flat", None], ["nested", "alone"])
    assert "'a.b' stands twice" in staged.findings("duplicate_column")[0]["what"]


def test_lists_inside_the_records_of_several_lists_are_all_read(export: Export) -> None:
    fields = (Field("Pipe", headers=("name",)), Field("Stage", headers=("stages.name",)))
    export.pack = pack_of(replace(object_of_fields("Stage", ["pipes.*"], *fields, key="Stage"), each="stages"))
    pipe = '[{"name": "%s", "stages": [{"name": "New"}, {"name": "Won"}]}]'
    staged = export.write("pipes.json", f'{{"sales": {pipe % "A"}, "service": {pipe % "B"}, "at": 1}}').staged()
    assert staged.rows("_file, Pipe, Stage", "Stage") == [
        ("pipes.json#sales", "A", "New"),
        ("pipes.json#sales", "A", "Won"),
        ("pipes.json#service", "B", "New"),
        ("pipes.json#service", "B", "Won"),
    ]
    assert "beside: at" in staged.findings("beside_the_list")[0]["what"]


def test_escapes_of_a_workbook_are_read_once(export: Export) -> None:
    texts = {"t1": "a_x000D_b", "t2": "a_x005F_x000D_b", "t3": "x_xD83D_y"}
    book = Workbook()
    book.active.append(["Id", "Name"])
    for text in texts:
        book.active.append([text, text])
    book.save(export.folder / "plain.xlsx")
    target = export.folder / "export" / "contacts.xlsx"
    target.parent.mkdir()
    with ZipFile(export.folder / "plain.xlsx") as plain, ZipFile(target, "w") as escaped:
        for name in plain.namelist():
            content = plain.read(name)
            for text, escape in texts.items():
                content = content.replace(f">{text}<".encode(), f">{escape}<".encode())
            escaped.writestr(name, content)
    assert export.staged().column("Name") == ["a\rb", "a_x000D_b", "x_xD83D_y"]


def test_text_around_the_parts_of_an_xml_element_is_kept(export: Export) -> None:
    text = "<All><One><Id>1</Id><Note> Call <b>Ana</b>\n today, <b>not</b> Bo </Note></One><One><Id>2</Id></One></All>"
    staged = export.write("contacts.xml", text).staged()
    assert staged.column("Note.text") == ["Call today, Bo", None]
    assert staged.column("Note.b") == ['["Ana", "not"]', None]


PLAIN = "".join(f"{number},Ana Ruiz,hello\n" for number in range(20_000))  # more than the sample a dialect is found on
SAID = '1,Ana,"he said \\"hi\\", twice"\n'


def test_a_backslash_far_down_that_escapes_nothing_is_not_lost(export: Export) -> None:
    staged = export.write("contacts.csv", f"Id,Name,Note\n{SAID}{PLAIN}2,Bo,C:\\new\n").staged()
    assert staged.column("Note")[-1] == "C:\\new"
    assert [line for line, _, _ in staged.rejects()] == [2], "no way of quoting reads both; one is told"


def test_quotes_that_are_escaped_far_down_alone_are_read(export: Export) -> None:
    staged = export.write("contacts.csv", f"Id,Name,Note\n{PLAIN}{SAID}").staged()
    assert (staged.column("Note")[-1], staged.rejects()) == ('he said "hi", twice', [])


def test_bytes_that_are_no_text_cost_one_element_of_an_xml_document(export: Export) -> None:
    good = "".join(f"\n<One><Id>{number}</Id><Name>Łukasz</Name></One>" for number in range(8)).encode()
    staged = export.write("contacts.xml", b"<All>" + good + b"<One><Id>8</Id><Name>L\xff</Name></One></All>").staged()
    assert staged.column("Name") == ["Łukasz"] * 8
    assert [(f["record"], f["what"]) for f in staged.findings("bad_row")] == [("9", "not readable as XML")]


def test_the_last_moment_of_a_workbooks_calendar_is_read(export: Export) -> None:
    book = Workbook()
    book.active.append(["Id", "Until"])
    for serial in (2_958_465.9999999, 2_958_465.25):
        book.active.append([serial, serial])
        book.active.cell(book.active.max_row, 2).number_format = "yyyy-mm-dd hh:mm:ss"
    (export.folder / "export").mkdir()
    book.save(export.folder / "export" / "contacts.xlsx")
    assert export.staged().column("Until") == ["9999-12-31 23:59:59", "9999-12-31 06:00:00"]
