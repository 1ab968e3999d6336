"""Damaged files: what cannot be read is told with its place, and costs no more than itself."""

import os
import sys

import pytest
from staging.export_case import Export


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
