"""The engine's reader and the careful one give the same records, or the engine's reader says no."""

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from staging.export_case import Export

import flitstack.staging.parts as parts
from flitstack.staging.delimited import DelimitedSource
from flitstack.staging.delimited_fast import stage_fast
from flitstack.staging.dialect import Dialect
from flitstack.staging.engine.engine import Engine
from flitstack.staging.source import Record

HEADER = b"a,b,c\n"


def fast(engine: Engine, path: Path, width: int = 3) -> list[tuple[int, int, list[str | None]]] | None:
    target = path.with_suffix(".parquet")
    target.unlink(missing_ok=True)
    records = stage_fast(engine, path, Dialect("utf-8", ","), width, range(width), target)
    if records is None:
        assert not target.exists()
        return None
    rows = pq.read_table(target).to_pylist()
    assert len(rows) == records
    return [(row["_record"], row["_line"], [row[f"c{place}"] for place in range(width)]) for row in rows]


def careful(path: Path) -> list[tuple[int, int | None, list[str | None]]] | None:
    """None where something is no record: then the fast reader must say no."""
    found = list(DelimitedSource(path, Dialect("utf-8", ",")).records())
    if not all(isinstance(record, Record) for record in found):
        return None
    return [(record.number, record.line, record.values) for record in found if isinstance(record, Record)]


@pytest.mark.parametrize(
    "body",
    [
        b"1,2,3\n4,5,6\n",
        b"1,2,3\r\n4,5,6",
        b'1,"two\nlines",3\n4,5,6\n',
        b'1,"two\r\nlines\n\n",3\r\n4,5,6\r\n',
        b'"a ""quoted"" word",,""\n,x,\n',
        "Łódź,小明,👩\n".encode(),
        b" padded , b ,c \n",
        b'1,5" pipe,3\n',
        b"1,2,3,\n4,5,6\n",
    ],
)
def test_clean_files_read_the_same(tmp_path: Path, module_engine: Engine, body: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + body)
    assert careful(path) is not None
    assert fast(module_engine, path) in (careful(path), None)


def test_a_plain_file_is_read_by_the_engine(tmp_path: Path, module_engine: Engine) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + b'1,"a\nb",3\n4,5,6\n')
    assert fast(module_engine, path) == [(1, 2, ["1", "a\nb", "3"]), (2, 4, ["4", "5", "6"])]


@pytest.mark.parametrize(
    "body",
    [
        b"1,2\n4,5,6\n",
        b"1,2,3,4\n4,5,6\n",
        b"1,2,3\n\n4,5,6\n",
        b"1,2,3\n,,\n",
        b"1,2,3\n , ,\n",
        b"1,2,3\nTotal:,,9\n",
        b"1,2,3\n\tTOTAL ,,9\n",
        b'1,2,3\n"Total\n",,9\n',
        "1,2,3\n\x85Итого\u3000,,9\n".encode(),
        b'1,"open,3\n4,5,6\n',
        b'1,"he said "hi" there",3\n4,5,6\n',
        b'1,"x"y,3\n4,5,6\n',
        b'1,"x" ,3\n4,5,6\n',
        b"1,\xff,3\n",
        b"1,a\0b,3\n",
        b"1,2,3\r4,5,6\r",
        b'1,"a\rb",3\n',
    ],
)
def test_what_is_not_clean_is_left_to_the_careful_reader(tmp_path: Path, module_engine: Engine, body: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + body)
    assert fast(module_engine, path) is None


@pytest.mark.parametrize(
    "line", [b"\n", b"\r\n", b",,\n", b'"",""\n', b" , \n", b"\xef\xbb\xbf\n", "\u00a0\n".encode()]
)
def test_a_header_below_a_blank_line_is_no_record(tmp_path: Path, module_engine: Engine, line: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(line + HEADER + b"1,2,3\n4,5,6\n")
    assert fast(module_engine, path) is None
    assert careful(path) == [(1, 3, ["1", "2", "3"]), (2, 4, ["4", "5", "6"])]


CELLS = st.text(st.sampled_from('ab ,"\n\r;\té小\u00a0'), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_any_written_table_reads_the_same_or_is_refused(
    tmp_path: Path, module_engine: Engine, table: list[list[str]], end: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode())
    assert fast(module_engine, path) in (careful(path), None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", " ", "é", '""', ',"', '",', "x,y,z\n"]), max_size=25))
@example(['a,, ""'])
@example([',"," ",",'])
@example(['a,"\n","" '])
def test_any_text_reads_the_same_or_is_refused(tmp_path: Path, module_engine: Engine, pieces: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + "".join(pieces).encode())
    found = fast(module_engine, path)
    assert found is None or found == careful(path)


def test_staging_gives_the_same_either_way(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'{n},Name {n},n{n}@x.example,"two\nlines, {n}"\n' for n in range(500)]
    export.write("contacts.csv", "Id,Name,Email,Note\n" + "".join(lines))
    slow = export.staged().rows()
    monkeypatch.setattr(parts, "MIN_BYTES", 0)
    called = []
    monkeypatch.setattr(parts, "stage_fast", lambda *given: called.append(stage_fast(*given)) or called[-1])
    assert export.staged().rows() == slow
    assert called == [500]
