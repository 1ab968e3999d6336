"""Delimited files as customers send them: encodings, delimiters, line ends, malformed records."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from staging.export_case import Export

from flitstack.staging.delimited import DelimitedSource
from flitstack.staging.dialect import find_dialect
from flitstack.staging.encodings import find_encoding
from flitstack.staging.source import Record, is_totals_row

ANA = "Id,Name,Email,Note\n1,Ana Ruiz,ana@x.example,hello\n"


@pytest.mark.parametrize(
    ("encoding", "text", "said"),
    [
        ("utf-8", "Łukasz Müller", "utf-8"),
        ("utf-8-sig", "Łukasz Müller", "utf-8-sig"),
        ("utf-16", "小明 王", "utf-16-le"),
        ("utf-16-le", "Ana Ruiz", "utf-16-le"),
        ("cp1251", "Їжакевич Ірина", "cp1251"),
        ("cp1251", "Ян Ли", "cp1251"),
        ("cp1252", "François Müller", "cp1252"),
        ("cp1252", "“quoted” – €", "cp1252"),
        ("cp1254", "Ömer Şahin Yıldız", "cp1254"),
    ],
)
def test_the_encoding_is_found_and_said(export: Export, encoding: str, text: str, said: str) -> None:
    staged = export.write("contacts.csv", f"Id,Name,Email,Note\n1,{text},a@x.example,\n".encode(encoding)).staged()
    assert staged.column("Name") == [text]
    assert staged.file("contacts.csv").encoding == said


def test_big_endian_utf_16_is_read_by_its_mark(export: Export) -> None:
    staged = export.write("contacts.csv", b"\xfe\xff" + "Id;Name\n1;Їжак\n".encode("utf-16-be")).staged()
    assert (staged.column("Name"), staged.file("contacts.csv").encoding) == (["Їжак"], "utf-16-be")


def test_a_broken_line_in_a_file_of_utf_8_is_a_reject_and_the_rest_is_read(export: Export) -> None:
    lines = [f"{number},Łukasz,l@x.example,\n".encode() for number in range(1, 9)] + [b"9,L\xff,,\n"]
    staged = export.write("contacts.csv", b"Id,Name,Email,Note\n" + b"".join(lines)).staged()
    assert staged.column("Name") == ["Łukasz"] * 8
    assert staged.rejects() == [(10, "9", "9,L\ufffd,,\n")]
    assert "no utf-8 text" in staged.findings("bad_row")[0]["what"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(export: Export, delimiter: str, end: str) -> None:
    text = ANA.replace(",", delimiter).replace("\n", end)
    staged = export.write("contacts.csv", text).staged()
    assert staged.rows() == [("contacts.csv", 1, 2, "1", "1", "Ana Ruiz", "ana@x.example", "hello")]
    assert staged.file("contacts.csv").delimiter == delimiter


def test_a_decimal_comma_does_not_pass_for_the_delimiter(export: Export) -> None:
    staged = export.write("contacts.csv", "Id;Name;Note\n1;Ana;1,50\n2;Bo;2,75\n3;Cy;3,25\n").staged()
    assert staged.column("Note") == ["1,50", "2,75", "3,25"]


def test_a_declared_delimiter_is_believed(export: Export) -> None:
    staged = export.write("contacts.csv", "sep=;\r\nId;Name\r\n1;Ana\r\n").staged()
    assert staged.rows("_line, Id, Name") == [(3, "1", "Ana")]


def test_quoted_text_keeps_newlines_quotes_and_delimiters_and_lines_are_physical(export: Export) -> None:
    text = 'Id,Name,Note\n1,"Ruiz, Ana","line one\nline ""two""\r\nthree"\n\n2,Bo,x\n'
    staged = export.write("contacts.csv", text).staged()
    assert staged.rows("_record, _line, Name, Note") == [
        (1, 2, "Ruiz, Ana", 'line one\nline "two"\r\nthree'),
        (2, 6, "Bo", "x"),
    ]


def test_a_field_of_five_megabytes_passes(export: Export) -> None:
    note = ("word " * 9 + "\n") * (5_000_000 // 46)
    staged = export.write("contacts.csv", f'Id,Name,Note\n1,Ana,"{note}"\n2,Bo,x\n').staged()
    assert staged.column("Note") == [note, "x"]
    assert staged.rows("_line")[1] == (2 + note.count("\n") + 1,)


def test_records_with_too_few_or_too_many_fields_are_held_with_their_text(export: Export) -> None:
    text = "Id,Name,Email,Note\n1,Ana,a@x.example,ok\n2,Bo\n3,Cy,c@x.example,x,extra\n4,Di,d@x.example,ok\n"
    staged = export.write("contacts.csv", text).staged()
    assert staged.column("Id") == ["1", "4"]
    assert staged.rejects() == [(3, "2", "2,Bo\n"), (4, "3", "3,Cy,c@x.example,x,extra\n")]
    found = staged.findings("bad_row")
    assert [(f["object"], f["file"], f["record"], f["line"], f["outcome"]) for f in found] == [
        ("Contact", "contacts.csv", "2", 3, "held"),
        ("Contact", "contacts.csv", "3", 4, "held"),
    ]
    assert found[0]["what"] == "2 fields where the header has 4"
    assert (staged.file("contacts.csv").records, staged.file("contacts.csv").rejects) == (2, 2)


def test_trailing_delimiters_are_nothing(export: Export) -> None:
    staged = export.write("contacts.csv", "Id,Name\n1,Ana,,\n2,Bo,\n").staged()
    assert (staged.column("Name"), staged.rejects()) == (["Ana", "Bo"], [])


def test_a_quote_that_never_closes_costs_its_own_line_only(export: Export) -> None:
    text = 'Id,Name,Note\n1,Ana,a\n2,"Bo,b\n3,Cy,c\n4,"Di",d\n'
    staged = export.write("contacts.csv", text).staged()
    assert staged.column("Id") == ["1", "3", "4"]
    assert staged.rejects() == [(3, "2", '2,"Bo,b\n')]


def test_the_last_record_with_an_open_quote_is_a_reject(export: Export) -> None:
    staged = export.write("contacts.csv", 'Id,Name,Note\n1,Ana,a\n2,Bo,"open\n').staged()
    assert (staged.column("Id"), staged.rejects()) == (["1"], [(3, "2", '2,Bo,"open\n')])


def test_quotes_inside_quoted_text_that_are_not_doubled_are_a_reject(export: Export) -> None:
    text = 'Id,Name,Note\n1,Ana,"he said "hi" there"\n2,Bo,b\n3,Cy,c\n'
    staged = export.write("contacts.csv", text).staged()
    assert (staged.column("Id"), [line for line, _, _ in staged.rejects()]) == (["2", "3"], [2])


def test_what_is_left_of_a_broken_record_over_several_lines_is_not_taken_for_records(export: Export) -> None:
    text = 'Id,Note\n1,"one\nsaid "hi" there\nend",x\n2,good\n'
    staged = export.write("contacts.csv", text).staged()
    assert staged.column("Id") == ["2"]


def test_an_inch_mark_is_a_character(export: Export) -> None:
    staged = export.write("contacts.csv", 'Id,Name,Note\n1,Ana,5" pipe\n2,Bo,b\n').staged()
    assert staged.column("Note") == ['5" pipe', "b"]


def test_quotes_escaped_by_backslashes_are_read_so_where_the_whole_file_does(export: Export) -> None:
    text = 'Id,Name,Note\n1,Ana,"he said \\"hi\\", twice"\n2,Bo,"x"\n'
    staged = export.write("contacts.csv", text).staged()
    assert (staged.column("Note"), staged.rejects()) == (['he said "hi", twice', "x"], [])


def test_backslashes_of_paths_stay(export: Export) -> None:
    staged = export.write("contacts.csv", 'Id,Name,Note\n1,Ana,C:\\new\n2,Bo,"C:\\dir\\"\n').staged()
    assert staged.column("Note") == ["C:\\new", "C:\\dir\\"]


def test_blanks_before_quotes_belong_to_no_cell(export: Export) -> None:
    staged = export.write("contacts.csv", '"Id", "Name", "Note"\n"1", "Ruiz, Ana", "x"\n').staged()
    assert staged.records() == [{"Id": "1", "Name": "Ruiz, Ana", "Note": "x"}]


def test_blanks_behind_a_closing_quote_are_nothing(export: Export) -> None:
    staged = export.write("contacts.csv", 'Id,Name,Note\n1,"Ruiz, Ana" ,x\n2,"Bo"  \n').staged()
    assert (staged.column("Name"), [line for line, _, _ in staged.rejects()]) == (["Ruiz, Ana"], [3])


def test_totals_and_blank_rows_are_no_records(export: Export) -> None:
    text = "Id,Name,Email,Note\n1,Ana,,\n,,,\n   \n2,Bo,,\nTotal:,,,2\n"
    staged = export.write("contacts.csv", text).staged()
    assert staged.column("Id") == ["1", "2"]
    (found,) = staged.findings("totals_row")
    assert (found["outcome"], found["line"]) == ("excluded", 6)


def test_a_company_called_total_is_a_record(export: Export) -> None:
    staged = export.write("contacts.csv", "Name,Id,Email,Note\nTotal,1,t@x.example,\n").staged()
    assert staged.column("Name") == ["Total"]


@pytest.mark.parametrize(
    ("lines", "names", "sums"),
    [
        ("Total,7,\nAna,8,x\n", ["Total", "Ana"], []),  # a company called so: records follow
        ("Ana,8,x\nTotal,15,\n", ["Ana"], [3]),
        ("Ana,8,x\nTotal,15,\nMade by Bo,,\n", ["Ana", "Made by Bo"], [3]),
        ("Ana,8,x\nTotal,8,\nBo,7,y\nTotal,15,\n", ["Ana", "Bo"], [3, 5]),
        ("Ana,8,x\nTotal,15\nBo,7,y\n", ["Ana", "Bo"], [3]),  # no record of this table
        ("Ana,8,x\nTotal,,\n", ["Ana", "Total"], []),  # without any sum
    ],
)
def test_sums_stand_under_a_table_or_several_times_in_it(
    export: Export, lines: str, names: list[str], sums: list[int]
) -> None:
    staged = export.write("contacts.csv", f"Name,Id,Note\n{lines}").staged()
    assert staged.column("Name") == names
    assert [found["line"] for found in staged.findings("totals_row")] == sums


def test_a_header_alone_is_an_empty_table(export: Export) -> None:
    staged = export.write("contacts.csv", "Id,Name\n").staged()
    assert (staged.document.tables["Contact"].records, staged.rows()) == (0, [])


def test_a_file_of_no_bytes_is_listed(export: Export) -> None:
    staged = export.write("contacts.csv", "").staged()
    assert [f["outcome"] for f in staged.findings("empty_export_file")] == ["listed"]
    assert staged.document.tables == {}


def test_binary_data_named_csv_is_held(export: Export) -> None:
    staged = export.write("contacts.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0").staged()
    assert [(f["object"], f["outcome"]) for f in staged.findings("not_text")] == [("Contact", "held")]


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t"), max_size=8)
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    TABLES,
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@example([["a\nb", 'c"d']], ",", "\r\n", csv.QUOTE_ALL, "utf-8")
def test_any_table_written_as_csv_reads_back_equal(
    tmp_path: Path, table: list[list[str]], delimiter: str, end: str, quoting: int, encoding: str
) -> None:
    width = len(table[0])
    if quoting == csv.QUOTE_MINIMAL:
        # Python's writer leaves line ends other than its own bare, and no reader can tell what they were.
        bare = {ord(mark): "" for mark in "\r\n" if mark not in end}
        table = [[cell.translate(bare) for cell in row] for row in table]
    table = [row for row in table if not is_totals_row(row)]
    rows = [row for row in table if any(cell.strip() for cell in row)]
    # Enough plain rows to show the delimiter; without any, a table of punctuation could be cut in several ways.
    plain = [[f"v{place}" for place in range(width)]] * 60
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([[f"h{place}" for place in range(width)], *plain, *rows])
    path = tmp_path / "table.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    found = list(DelimitedSource(path, find_dialect(path, find_encoding(path))).records())
    expected = [[cell or None for cell in row] for row in plain + rows]
    assert [record.values for record in found] == expected
    assert all(isinstance(record, Record) for record in found)
