"""Damaged files: what cannot be read is told with its place, and costs no more than itself."""

from staging.export_case import Export


def test_a_header_in_another_encoding_than_its_records_is_told_and_read_by_what_remains(export: Export) -> None:
    records = "".join(f"{number},Łukasz,x\n" for number in range(9))
    staged = export.write("contacts.csv", "Id,Name,Açıklama\n".encode("cp1254") + records.encode()).staged()
    assert staged.how() == {"Id": "name", "Name": "name", "A\ufffd\ufffdklama": "unknown"}
    assert staged.column("Name") == ["Łukasz"] * 9
    (found,) = staged.findings("unreadable_column")
    assert (found["file"], found["outcome"]) == ("contacts.csv", "listed")
    assert "'A\ufffd\ufffdklama'" in found["what"]
