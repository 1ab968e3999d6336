"""The matrix loses nothing on its way through Excel, and brings back what a customer changed, and only that."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mapping.map_files import write_maps
from python_calamine import CalamineWorkbook

from flitstack.documents import write_yaml
from flitstack.errors import UsageError
from flitstack.mapping.excel import MAPPING, read_matrix, write_matrix
from flitstack.mapping.maps import open_proposals, read_maps
from flitstack.mapping.matrix import plain

AT = "2026-11-21T10:00:00Z"
PERSON = """\
object: Person  # people
routes:
  - table: lead
    name: lead
    phase: people
    when: choice_key(Rating) = 'hot'
    key: Id
    columns:
      lastname: {from: Name, status: proposed, confidence: 0.9, why: [pack, meaning]}
      new_score: {from: Score, status: proposed, create: {type: Integer}}
      leadqualitycode: {from: Rating, choices: {Hot: 1, Warm: 2}, otherwise: hold, status: confirmed, at: 2026-11-20T08:00:00Z}
      parentaccountid: {lookup: account, by: company_key(Firm), status: proposed}
      donotemail: {from: TRUE}
    unmapped: {Fax: {reason: no value in the export, status: proposed}, Pager: nobody has one}
unrouted: {code: unknown_choice, field: Type}
"""

# Texts as they stand in maps and in customers' data: formulas, quotes, line ends, other scripts, odd blanks.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n=+-@'\"_x"), max_size=30
)
names = st.text(st.characters(categories=["L", "N"], include_characters=" _-#."), min_size=1, max_size=12).filter(
    lambda name: bool(name.strip())
)
scalars = st.booleans() | st.integers(-(10**9), 10**9) | texts
choices = st.dictionaries(names, st.integers(0, 10**9) | names | st.booleans(), max_size=4)
rules = st.fixed_dictionaries(
    {"status": st.sampled_from(["proposed", "confirmed"])},
    optional={
        "from": texts | st.booleans() | st.integers(0, 9),
        "choices": choices,
        "otherwise": st.sampled_from(["hold", "blank"]),
        "create": st.dictionaries(names, scalars | st.lists(st.tuples(st.integers(), names).map(list)), max_size=3),
        "why": st.lists(texts, max_size=3),
        "confidence": st.floats(0, 1, allow_nan=False),
        "by": names,
    },
)
routes = st.fixed_dictionaries(
    {"table": names, "name": names, "phase": names, "columns": st.dictionaries(names, rules, max_size=4)},
    optional={
        "when": texts,
        "matches": st.dictionaries(names, texts, max_size=2),
        "states": st.lists(st.dictionaries(names, scalars, max_size=2), max_size=2),
        "unmapped": st.dictionaries(
            names, st.fixed_dictionaries({"reason": texts}, optional={"by": names}), min_size=1, max_size=2
        ),
    },
)
files = st.fixed_dictionaries(
    {"format": st.just(1), "routes": st.lists(routes, max_size=3, unique_by=lambda route: route["name"])},
    optional={"unrouted": st.dictionaries(names, names, max_size=2)},
)


@given(st.dictionaries(st.sampled_from(["Person", "Firm", "Deal"]), files, min_size=1))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_out_and_in_again_is_the_same_map(data: dict[str, dict[str, Any]]) -> None:
    with TemporaryDirectory() as name:
        before, after, book = Path(name, "before"), Path(name, "after"), Path(name, "matrix.xlsx")
        for number, (object_name, content) in enumerate(data.items()):
            # Words of routes and columns are checked on reading; here any content must survive.
            write_yaml(before / f"{number}.yaml", {"object": object_name, **content})
        maps = read_maps(before)
        bytes_before = {path.name: path.read_bytes() for path in before.iterdir()}
        write_matrix(maps, book)
        assert read_matrix(book, before) == ()
        assert {path.name: path.read_bytes() for path in before.iterdir()} == bytes_before
        read_matrix(book, after)
        again = read_maps(after)
        assert {n: plain(file.data) for n, file in again.items()} == {n: plain(file.data) for n, file in maps.items()}


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "mapping"
    write_maps(folder, PERSON)
    return folder


def edit(maps: Path, column: str, **cells: str) -> Path:
    """The matrix of the map with some cells of one row changed, as a spreadsheet would save it."""
    book = maps.parent / "matrix.xlsx"
    write_matrix(read_maps(maps), book)
    return rewrite(book, "Mapping", lambda row: row.get("Column") == column or row.get("Field") == column, cells)


def rewrite(book: Path, sheet: str, chosen: Any, cells: dict[str, str]) -> Path:
    read = CalamineWorkbook.from_path(str(book))
    content = {name: read.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in read.sheet_names}
    with xlsxwriter.Workbook(str(book), {"strings_to_formulas": False}) as written:
        for name, rows in content.items():
            page = written.add_worksheet(name)
            for number, row in enumerate(rows):
                named = dict(zip(rows[0], row, strict=False))
                if number and name == sheet and chosen(named):
                    row = [cells.get(str(head), cell) for head, cell in named.items()]
                for place, cell in enumerate(row):
                    page.write(number, place, cell)
    return book


def test_a_column_confirmed_in_excel_is_signed(maps: Path) -> None:
    assert read_matrix(edit(maps, "lastname", Status="confirmed"), maps, "ana", AT) == ("Person",)
    rule = read_maps(maps)["Person"].data["routes"][0]["columns"]["lastname"]
    assert (rule["status"], rule["by"], rule["at"]) == ("confirmed", "ana", AT)
    assert "Person.lastname" not in open_proposals(read_maps(maps))
    assert (maps / "Person.yaml").read_text().startswith("object: Person  # people")


def test_an_expression_edited_in_excel_arrives(maps: Path) -> None:
    read_matrix(edit(maps, "lastname", From="upper(Name)"), maps)
    assert read_maps(maps)["Person"].routes[0].columns["lastname"].source == "upper(Name)"


def test_a_column_rejected_in_excel_needs_a_reason_and_then_goes(maps: Path) -> None:
    book = edit(maps, "new_score", Status="rejected")
    with pytest.raises(UsageError, match="Score is rejected without a reason") as raised:
        read_matrix(book, maps)
    assert raised.value.problems[0].where == "matrix.xlsx, sheet Mapping, row 3"
    read_matrix(edit(maps, "new_score", Status="rejected", Reason="not used"), maps, "ana", AT)
    route = read_maps(maps)["Person"].routes[0]
    assert "new_score" not in route.columns
    assert route.unmapped["Score"].reason == "not used"


def test_a_proposal_to_leave_a_field_out_is_agreed_in_excel(maps: Path) -> None:
    read_matrix(edit(maps, "Fax", Status="rejected"), maps, "ana", AT)
    assert read_maps(maps)["Person"].routes[0].unmapped["Fax"].status == "confirmed"


def test_a_value_map_edited_in_excel_arrives(maps: Path) -> None:
    book = edit(maps, "")
    rewrite(book, "Choices", lambda row: row["Source value"] == "Warm", {"Source value": "Tepid", "Option": "3"})
    read_matrix(book, maps)
    assert read_maps(maps)["Person"].routes[0].columns["leadqualitycode"].choices == {"Hot": 1, "Tepid": 3}


def test_what_changed_in_the_files_meanwhile_stays(maps: Path) -> None:
    book = edit(maps, "lastname", Status="confirmed")
    text = (maps / "Person.yaml").read_text().replace("from: Score", "from: to_number(Score)")
    (maps / "Person.yaml").write_text(text)
    read_matrix(book, maps)
    assert read_maps(maps)["Person"].routes[0].columns["new_score"].source == "to_number(Score)"


def test_a_workbook_without_its_headings_is_refused(maps: Path) -> None:
    book = maps.parent / "matrix.xlsx"
    with xlsxwriter.Workbook(str(book)) as written:
        written.add_worksheet("Mapping").write_string(0, 0, "Object")
    with pytest.raises(UsageError, match="sheet Mapping has no column Route") as raised:
        read_matrix(book, maps)
    assert len(raised.value.problems) == 3
    (maps.parent / "not.xlsx").write_text("no workbook")
    with pytest.raises(UsageError, match=r"not\.xlsx is no Excel workbook"):
        read_matrix(maps.parent / "not.xlsx", maps)


def test_every_unknown_status_is_told_with_its_row_and_nothing_is_changed(maps: Path) -> None:
    before = (maps / "Person.yaml").read_bytes()
    with pytest.raises(UsageError, match="'maybe' is no status"):
        read_matrix(edit(maps, "lastname", Status="maybe", From="upper(Name)"), maps)
    assert (maps / "Person.yaml").read_bytes() == before


def test_no_text_of_the_matrix_runs_as_a_formula(maps: Path) -> None:
    write_maps(maps, PERSON.replace("from: Name", "from: \"=HYPERLINK('http://x')\""))
    book = maps.parent / "matrix.xlsx"
    write_matrix(read_maps(maps), book)
    rows = CalamineWorkbook.from_path(str(book)).get_sheet_by_name("Mapping").to_python()
    assert rows[1][list(MAPPING).index("source")] == "=HYPERLINK('http://x')"
