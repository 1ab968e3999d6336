"""What belongs to which object and field, workbooks, JSON, files that travel with records, what is never read."""

import json
import os
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from staging.export_case import CONTACT_FIELDS, CONTACTS, Export, object_of_fields, pack_of

from flitstack.documents import load_json
from flitstack.errors import UsageError
from flitstack.packs.types import Field, SourceObject
from flitstack.staging.document import StagingDocument
from flitstack.staging.stage import StageOptions
from flitstack.staging.trees import flatten, parsed


def workbook(
    export: Export, path: str, sheets: dict[str, list[list[Any]]], merged: dict[str, list[str]] | None = None
) -> Export:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in (merged or {}).get(name, []):
            sheet.merge_cells(cells)
    target = export.folder / "export" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)
    return export


# Recognition


def test_columns_are_known_by_name_by_other_header_and_by_values(export: Export) -> None:
    people = "".join(f"{n};Ana {n};a{n}@x.example;7\n" for n in range(5))
    staged = export.write("contacts.csv", "ID;full  name;Correo;Puntos\n" + people).staged()
    assert staged.how() == {"Id": "name", "Name": "header", "Email": "values", "Puntos": "unknown"}
    assert staged.document.tables["Contact"].missing == ("Note",)
    assert staged.records()[0] == {"Id": "0", "Name": "Ana 0", "Email": "a0@x.example", "Puntos": "7"}


@pytest.mark.parametrize("header", ["AÇIKLAMA", "aciklama", "Acıklama", "A-ç-ı-k.lama"])
def test_headers_meet_without_case_accents_blanks_and_punctuation(export: Export, header: str) -> None:
    assert export.write("contacts.csv", f"Id,{header}\n1,x\n").staged().how() == {"Id": "name", "Note": "header"}


def test_two_address_columns_are_not_guessed_between(export: Export) -> None:
    people = "".join(f"{n},a{n}@x.example,b{n}@x.example\n" for n in range(5))
    staged = export.write("contacts.csv", "Id,One,Two\n" + people).staged()
    assert staged.how() == {"Id": "name", "One": "unknown", "Two": "unknown"}


def test_the_order_of_columns_does_not_matter_and_several_files_become_one_table(export: Export) -> None:
    export.write("contacts-1.csv", "Id,Name,Score\n1,Ana,5\n").write(
        "contacts-2.csv", "score;Full Name;Id;Extra\n6;Bo;2;x\n"
    )
    staged = export.staged()
    assert staged.rows('_file, _record, _line, _id, "Name", "Score", "Extra"') == [
        ("contacts-1.csv", 1, 2, "1", "Ana", "5", None),
        ("contacts-2.csv", 1, 2, "2", "Bo", "6", "x"),
    ]


def test_a_file_no_pattern_names_is_known_by_its_columns(export: Export) -> None:
    staged = export.write("kontakte.csv", "Id,Name,Email,Phone\n1,Ana,a@x.example,5\n").staged()
    assert staged.file("kontakte.csv").object == "Contact"
    assert [f["outcome"] for f in staged.findings("file_by_content")] == ["listed"]


def test_a_table_of_nothing_known_becomes_an_object_of_its_own_and_prose_does_not(export: Export) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n").write("weather_2025.csv", "Day,Rain,Who\n1,2,Bo\n2,2,Al\n")
    export.write("readme.txt", "Dear all, this is it\nBye, Ana\n").write(
        "settings.json", '{"plan": "gold", "users": 3}'
    )
    staged = export.staged()
    assert [file.object for file in staged.document.files] == ["Contact", "", "", "Weather"]
    assert list(staged.document.tables) == ["Contact", "Weather"]
    assert staged.document.found["Weather"] == {
        "label": "Weather",
        "files": ["weather*[0-9].csv"],
        "key": "Day",
        "fields": {"Day": {}, "Rain": {}, "Who": {}},
    }
    assert [f["outcome"] for f in staged.findings("object_found")] == ["listed"]


def test_a_column_suppressed_everywhere_is_not_staged_of_an_unknown_object_either(export: Export) -> None:
    export.options = StageOptions(suppress={"": ["SSN"]})
    staged = export.write("weather.csv", "Day,Rain,SSN\n1,2,078-05-1120\n").staged()
    assert list(staged.document.found["Weather"]["fields"]) == ["Day", "Rain"]
    assert [f["field"] for f in staged.findings("suppressed_field")] == ["SSN"]


def test_where_patterns_of_two_objects_fit_the_columns_decide(export: Export) -> None:
    deals = object_of_fields("Deal", ["*.csv"], Field("Id"), Field("Amount"), Field("Stage"))
    export.pack = pack_of(object_of_fields("Contact", ["*.csv"], *CONTACT_FIELDS), deals)
    export.write("a.csv", "Id,Amount,Stage\n1,5,Won\n").write("b.csv", "Id,Name,Email\n1,Ana,a@x.example\n")
    staged = export.staged()
    assert (staged.file("a.csv").object, staged.file("b.csv").object) == ("Deal", "Contact")


def test_lines_above_the_header_are_not_records(export: Export) -> None:
    text = "Contact list\nExported 2026-01-02,,\n\nId,Name,Email\n1,Ana,a@x.example\n"
    staged = export.write("contacts.csv", text).staged()
    assert staged.rows("_record, _line, Name") == [(1, 5, "Ana")]


def test_a_file_without_column_names_loses_no_record(export: Export) -> None:
    people = "".join(f"{n},Ana {n},a{n}@x.example\n" for n in range(5))
    staged = export.write("contacts.csv", people).staged()
    assert staged.document.tables["Contact"].records == 5
    assert staged.how() == {"Column 1": "unknown", "Column 2": "unknown", "Email": "values"}
    assert len(staged.findings("header_missing")) == 1


def test_a_document_of_lines_is_not_asked_for_column_names(export: Export) -> None:
    staged = export.write("files/D1/notes.txt", "95696810\n" * 40).staged()
    assert staged.findings("header_missing") == []


def test_a_column_name_that_stands_twice_gets_a_number(export: Export) -> None:
    staged = export.write("contacts.csv", "Id,Tag,tag,Tag\n1,a,b,c\n").staged()
    assert staged.records() == [{"Id": "1", "Tag": "a", "tag (2)": "b", "Tag (3)": "c"}]
    assert len(staged.findings("duplicate_column")) == 2


def test_columns_called_like_our_own_or_like_a_field_keep_their_values(export: Export) -> None:
    staged = export.write("contacts.csv", "Id,_id,_LINE,Full Name,Name\n1,x,y,Ana,other\n").staged()
    assert staged.records() == [
        {"Id": "1", "Name": "other", "_id (other)": "x", "_LINE (other)": "y", "Full Name": "Ana"}
    ]
    assert staged.rows("_id, _line") == [("1", 2)]


def test_ids_are_trimmed_and_a_record_without_one_goes_by_its_number(export: Export) -> None:
    staged = export.write("contacts.csv", "Id,Name\n \u00a0007 ,Ana\n,Bo\n").staged()
    assert staged.rows("_id, Id") == [("007", " \u00a0007 "), ("2", None)]


def test_a_malformed_record_goes_by_its_id_where_that_can_be_seen(export: Export) -> None:
    text = "Id,Name,Email\nper_1,Ana,\nper_2,Bo,x,y\nBo;per_3\n"
    found = export.write("contacts.csv", text).staged().findings("bad_row")
    assert {f["line"]: f["record"] for f in found} == {3: "per_2", 4: "3"}


# Read scope


def test_suppressed_fields_are_written_nowhere(export: Export) -> None:
    export.options = StageOptions(suppress={"Contact": ["S.S.N.", "Email"]})
    export.write("contacts.csv", "Id,Name,Email,SSN\n1,Ana,a@x.example,936-78-5955\n2,Bo,936-78-5956\n")
    staged = export.staged()
    assert staged.records() == [{"Id": "1", "Name": "Ana"}]
    assert [(f["field"], f["outcome"]) for f in staged.findings("suppressed_field")] == [
        ("Email", "excluded"),
        ("SSN", "excluded"),
    ]
    assert staged.rejects() == [(3, "2", "")]
    written = b"".join(path.read_bytes() for path in staged.folder.rglob("*") if path.is_file())
    assert b"936-78" not in written
    assert "936" not in repr(staged.found)


# Workbooks


def test_each_sheet_is_a_file_and_cells_become_plain_text(export: Export) -> None:
    rows: list[list[Any]] = [
        ["Id", "Name", "Note", "Born", "Seen", "At", "Ok", "Big", "Small"],
        [
            1,
            "Ana",
            12.0,
            date(1990, 5, 17),
            datetime.fromisoformat("2024-01-02 10:30"),
            time(9, 5),
            True,
            12345678901234,
            0.00001,
        ],
        [2.0, None, 1.5, None, None, None, False, None, -0.1],
    ]
    deals = object_of_fields("Deal", ["*#Deals"], Field("Id"), Field("Amount"))
    export.pack = pack_of(object_of_fields("Contact", ["*#People"], *CONTACT_FIELDS), deals)
    workbook(
        export,
        "book.xlsx",
        {"Cover": [["About this file"]], "People": rows, "Empty": [], "Deals": [["Id", "Amount"], [7, 9]]},
    )
    staged = export.staged()
    first = {
        "Id": "1",
        "Name": "Ana",
        "Note": "12",
        "Born": "1990-05-17",
        "Seen": "2024-01-02 10:30:00",
        "At": "09:05:00",
    }
    assert staged.records()[0] == first | {"Ok": "true", "Big": "12345678901234", "Small": "0.00001"}
    assert staged.rows("_file, _record, _line, _id, Ok, Small")[1] == ("book.xlsx#People", 2, 3, "2", "false", "-0.1")
    assert staged.records("Deal") == [{"Id": "7", "Amount": "9"}]
    assert [f["file"] for f in staged.findings("empty_sheet")] == ["book.xlsx#Empty"]


def test_files_behind_a_workbook_do_not_overwrite_its_sheets(export: Export) -> None:
    deals = object_of_fields("Deal", ["deals*"], Field("Id"), Field("Amount"))
    export.pack = pack_of(object_of_fields("Contact", ["*#People"], *CONTACT_FIELDS), deals)
    workbook(export, "book.xlsx", {"Cover": [["x"]], "People": [["Id", "Name"], [1, "Ana"]]})
    staged = export.write("deals.csv", "Id,Amount\n7,9\n").staged()
    assert staged.records() == [{"Id": "1", "Name": "Ana"}]
    assert staged.records("Deal") == [{"Id": "7", "Amount": "9"}]


def test_the_header_of_a_sheet_is_found_below_a_title_and_totals_are_no_records(export: Export) -> None:
    rows = [
        ["Contacts of ACME", None, None],
        [],
        ["Id", "Name", "Note"],
        [1, "Ana", 5],
        [None, None, None],
        ["Total", None, 5],
    ]
    staged = workbook(export, "contacts.xlsx", {"S": rows}).staged()
    assert staged.rows("_record, _line, Name") == [(1, 4, "Ana")]
    assert [f["line"] for f in staged.findings("totals_row")] == [6]


def test_merged_header_cells_over_two_rows_give_one_name_a_column(export: Export) -> None:
    rows = [
        ["Id", "Name", "Home", None, "Work", None],
        [None, None, "City", "Street", "City", "Street"],
        [1, "Ana", "a", "b", "c", "d"],
    ]
    merged = {"S": ["A1:A2", "B1:B2", "C1:D1", "E1:F1"]}
    staged = workbook(export, "contacts.xlsx", {"S": rows}, merged).staged()
    names = {"Home City": "a", "Home Street": "b", "Work City": "c", "Work Street": "d"}
    assert staged.records() == [{"Id": "1", "Name": "Ana"} | names]


@pytest.mark.parametrize("box", ["D1:F25", "D1:D25", "D3:F9", "H1:J1", "H40:J44"])
def test_a_box_merged_beside_a_table_takes_none_of_its_records(export: Export, box: str) -> None:
    rows: list[list[Any]] = [["Id", "Name", "Home"], *([number, f"N{number}", "x"] for number in range(1, 31))]
    staged = workbook(export, "contacts.xlsx", {"S": rows}, {"S": [box]}).staged()
    assert [(one["Id"], one["Name"]) for one in staged.records()] == [(str(n), f"N{n}") for n in range(1, 31)]


def test_what_is_no_workbook_is_held(export: Export) -> None:
    staged = export.write("contacts.xlsx", b"PK\x03\x04 not really").staged()
    assert [(f["object"], f["outcome"]) for f in staged.findings("not_a_workbook")] == [("Contact", "held")]


# JSON


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("contacts.json", '[{"Id": 1, "Name": "Ana"}, {"Id": 2, "Name": "Bo", "Extra": true}]'),
        ("contacts.json", '{"data": [{"Id": 1, "Name": "Ana"}, {"Id": 2, "Name": "Bo", "Extra": true}]}'),
        ("contacts.jsonl", '{"Id": 1, "Name": "Ana"}\n\n{"Id": 2, "Name": "Bo", "Extra": true}\n'),
        ("contacts.json", '{"Id": 1, "Name": "Ana"}\r\n{"Id": 2, "Name": "Bo", "Extra": true}\r\n'),
    ],
)
def test_json_is_read_as_list_as_lines_and_wrapped(export: Export, path: str, text: str) -> None:
    staged = export.write(path, text).staged()
    assert staged.records() == [{"Id": "1", "Name": "Ana", "Extra": None}, {"Id": "2", "Name": "Bo", "Extra": "true"}]


def test_nested_json_becomes_dotted_columns_and_numbers_stay_as_they_are(export: Export) -> None:
    record = '{"Id": 12345678901234567890123, "Name": {"first": "Ana", "tags": ["a", 1.10, {"b": null}]}, "x": 1.50, "e": {}, "n": null}'
    staged = export.write("contacts.jsonl", record + "\n").staged()
    assert staged.records() == [
        {
            "Id": "12345678901234567890123", "Name.first": "Ana", "Name.tags": '["a", 1.10, {"b": null}]',
            "x": "1.50", "e": "{}", "n": None,
        }
    ]  # fmt: skip


def test_a_malformed_json_line_is_a_reject_with_its_line(export: Export) -> None:
    text = '{"Id": 1}\n{"Id": 2,,}\n[3]\n{"Id": "\\ud800"}\n{"Id": NaN}\n' + "[" * 100_000 + "\n"
    staged = export.write("contacts.jsonl", text).staged()
    assert staged.column("Id") == ["1"]
    assert [line for line, _, _ in staged.rejects()] == [2, 3, 4, 5, 6]


def test_a_json_document_that_is_none_is_held_line_by_line(export: Export) -> None:
    staged = export.write("contacts.json", '{"Id": 1}\n{"Id": 2\n{"Id": 3}\n{"Id": 4}\n').staged()
    assert (staged.column("Id"), [line for line, _, _ in staged.rejects()]) == (["1", "3", "4"], [2])


def test_several_lists_of_one_document_are_files_of_their_own(export: Export) -> None:
    export.pack = pack_of(
        object_of_fields("Contact", ["*#contacts"], *CONTACT_FIELDS), object_of_fields("Deal", ["*#deals"], Field("Id"))
    )
    staged = export.write("all.json", '{"at": 1, "contacts": [{"Id": 1}], "deals": [{"Id": 2}]}').staged()
    assert (staged.records(), staged.records("Deal")) == ([{"Id": "1"}], [{"Id": "2"}])
    assert staged.rows("_file") == [("all.json#contacts",)]
    assert "at" in staged.findings("beside_the_list")[0]["what"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON_VALUES, max_size=4))
def test_flattening_gives_texts_that_are_the_values(record: dict[str, Any]) -> None:
    flat = flatten(parsed(json.dumps(record)))
    for name, value in record.items():
        if isinstance(value, list) or value == {}:
            assert json.loads(flat[name] or "") == value
        elif not isinstance(value, dict):
            assert flat[name] == (json.dumps(value) if isinstance(value, int) else value or None)


# Files that travel with records, and what is no part of the export


def test_other_files_are_listed_with_their_size(export: Export) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n").write("attachments/0001", b"abc").write(
        "attachments/a.csv", "Id,Name,Email\n9,No,n@x.example\n"
    )
    staged = export.staged()
    assert staged.document.attachments == {"attachments/0001": 3, "attachments/a.csv": 31}
    assert staged.column("Id") == ["1"]


def test_a_folder_of_tables_alone_is_part_of_the_export(export: Export) -> None:
    staged = (
        export.write("tables/contacts.csv", "Id,Name\n1,Ana\n").write("tables/deals.csv", "Id,Amount\n1,2\n").staged()
    )
    assert staged.rows("_file, Id") == [("tables/contacts.csv", "1")]


def test_what_lies_beside_an_export_is_not_read(export: Export) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n")
    for path in (
        "delta/contacts.csv",
        "destination/contacts.csv",
        "__MACOSX/contacts.csv",
        "expected.json",
        "~$contacts.xlsx",
    ):
        export.write(path, "Id,Name\n2,Bo\n")
    staged = export.staged()
    assert (staged.column("Id"), staged.document.attachments) == (["1"], {})


def test_links_are_refused_and_listed(export: Export, tmp_path: Path) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n").write("attachments/a.txt", "x")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "contacts-2.csv").write_text("Id,Name\n2,Bo\n")
    (tmp_path / "export" / "more").symlink_to(tmp_path / "secret")
    (tmp_path / "export" / "contacts-2.csv").symlink_to(tmp_path / "secret" / "contacts-2.csv")
    staged = export.staged()
    assert (staged.column("Id"), list(staged.document.attachments)) == (["1"], ["attachments/a.txt"])
    assert [f["file"] for f in staged.findings("link_refused")] == ["contacts-2.csv", "more"]


# The snapshot


def test_staging_twice_gives_the_same_and_another_file_another_fingerprint(export: Export) -> None:
    first = export.write("contacts.csv", "Id,Name\n1,Ana\n").staged()
    second = export.staged()
    assert second.document.fingerprint == first.document.fingerprint
    assert sorted(path.name for path in second.folder.iterdir()) == [
        "Contact.parquet",
        "document.json",
        "rejects.parquet",
    ]
    assert load_json(second.folder / "document.json", StagingDocument) == second.document
    assert export.write("contacts.csv", "Id,Name\n1,Anna\n").staged().document.fingerprint != first.document.fingerprint


def test_an_export_of_nothing_but_refused_files_names_each(export: Export) -> None:
    export.write("contacts.csv", "Id,Name\n1,Ana\n")
    inside = export.folder / "export"
    (inside / "contacts.csv").rename(export.folder / "elsewhere.csv")
    (inside / "contacts.csv").symlink_to(export.folder / "elsewhere.csv")
    Path(os.fsdecode(os.fsencode(inside) + b"/caf\xe9.csv")).write_text("Id\n1\n")
    with pytest.raises(UsageError, match="holds no files") as caught:
        export.staged()
    told = caught.value.render()
    assert "contacts.csv" in told
    assert "a link is not followed" in told
    assert "caf?.csv" in told


def test_a_failure_leaves_the_snapshot_before(export: Export) -> None:
    before = export.write("contacts.csv", "Id,Name\n1,Ana\n").staged()
    for path in (export.folder / "export").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match="holds no files"):
        export.staged()
    assert before.column("Id") == ["1"]
    assert [path.name for path in export.folder.iterdir() if path.name.startswith(".staging")] == []


# Keys of several fields, lists inside records, XML, what is not portable


def test_several_fields_may_make_the_key(export: Export) -> None:
    link = SourceObject("Link", ("links.csv",), "Person", {n: Field(n) for n in ("Person", "Firm")}, also_key=("Firm",))
    export.pack = pack_of(link)
    staged = export.write("links.csv", "Firm,Person\nK1,P1\nK2,P1\n,P2\n").staged()
    assert [row[0] for row in staged.rows("_id", "Link")] == ["P1-K1", "P1-K2", "3"]


STAGE_FIELDS = {"Pipe": Field("Pipe", headers=("name",)), "Stage": Field("Stage", headers=("stages.name",))}
STAGES = SourceObject("Stage", ("pipelines.*",), "Pipe", STAGE_FIELDS, also_key=("Stage",), each="stages")


@pytest.mark.parametrize("around", ["{}", '{{"pipelines": {}}}'])
def test_a_list_inside_a_record_gives_a_record_each(export: Export, around: str) -> None:
    export.pack = pack_of(STAGES)
    pipes = '[{"name": "A", "stages": [{"name": "New", "share": 5}, {"name": "Won"}]}, {"name": "B", "stages": []}]'
    staged = export.write("pipelines.json", around.format(pipes)).staged()
    assert [row["Pipe"] for row in staged.records("Stage")] == ["A", "A", "B"]
    assert staged.column("Stage", "Stage") == ["New", "Won", None]
    assert staged.column("stages.share", "Stage") == ["5", None, None]


ANSWER = object_of_fields("Answer", ["*.anx"], Field("title"), Field("Answer.name"), key="Answer.name")


def test_xml_is_read_like_json(export: Export) -> None:
    export.pack = pack_of(replace(ANSWER, each="Answer"))
    answers = """<?xml version="1.0" encoding="UTF-8"?><AnswerSet title="M1">
      <Answer name="Client"><TextValue>Ana &amp; Bo</TextValue></Answer>
      <Answer name="Children"><RptValue><TextValue>A</TextValue><TextValue>B</TextValue></RptValue></Answer>
      <Answer name="Guardian"><TextValue unans="true"></TextValue></Answer></AnswerSet>"""
    staged = export.write("hotdocs/M1.anx", answers).staged()
    assert staged.file("hotdocs/M1.anx").format == "xml"
    assert staged.records("Answer")[0]["Answer.TextValue"] == "Ana & Bo"
    assert staged.column("Answer.RptValue.TextValue", "Answer") == [None, '["A", "B"]', None]
    assert staged.column("Answer.TextValue.unans", "Answer") == [None, None, "true"]
    assert set(staged.column("title", "Answer")) == {"M1"}


@pytest.mark.parametrize(
    "text", ["<Set><Answer></Set>", '<!DOCTYPE x [<!ENTITY a "b">]><Set><Answer>&a;</Answer></Set>']
)
def test_xml_that_is_broken_or_expands_is_held(export: Export, text: str) -> None:
    export.pack = pack_of(ANSWER)
    staged = export.write("M1.anx", text).staged()
    assert staged.document.tables["Answer"].records == 0
    assert {found["outcome"] for found in staged.findings("bad_row")} == {"held"}


def test_files_that_no_other_system_can_use_are_listed_once(export: Export) -> None:
    playbook = {"not_portable": [{"files": ["clauses/*"], "what": "clauses"}, {"files": ["*.cmp"], "do": "ask"}]}
    export.pack = replace(CONTACTS, playbook=playbook)
    export.write("contacts.csv", "Id,Name\n1,Ana\n").write("clauses/a.cmp", b"\0").write("b.CMP", b"\0")
    found = export.staged().findings("not_portable")
    assert [(f["file"], f["record"], f["outcome"]) for f in found] == [
        ("b.CMP", "b.CMP", "listed"), ("clauses/a.cmp", "a.cmp", "listed"),
    ]  # fmt: skip
    assert sorted(f["what"] for f in found) == ["clauses", "no other system can read this file"]


def test_a_name_that_only_begins_like_a_pattern_is_another_object_unless_the_columns_agree(export: Export) -> None:
    export.pack = pack_of(object_of_fields("Contact", ["contacts*.*"], *CONTACT_FIELDS))
    export.write("contactsections.csv", "Id,Room,Floor\n1,A,2\n").write("contactsold.csv", "Id,Name,Email\n1,Ana,\n")
    export.write("contacts 2.csv", "Id,Vorname,Ort\n2,Bo,Linz\n")
    staged = export.staged()
    found = {file.path: file.object for file in staged.document.files}
    assert found == {
        "contactsections.csv": "Contactsections",
        "contactsold.csv": "Contact",
        "contacts 2.csv": "Contact",
    }
