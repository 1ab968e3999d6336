"""The mapping matrix as an Excel workbook that a customer edits, and back."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

from flitstack.errors import Problem, UsageError
from flitstack.mapping.maps import MapFile, edit_map, read_maps, write_map
from flitstack.mapping.matrix import STATUSES, ChoiceRow, ColumnRow, Matrix, RouteRow, matrix_of
from flitstack.mapping.matrix_in import Merging, changed_objects, merge_matrix

# Sheet -> heading and width by field of its rows; `details` comes last and runs over into further columns.
MAPPING = {
    "object": ("Object", 14),
    "route": ("Route", 14),
    "table": ("Table", 16),
    "field": ("Field", 24),
    "column": ("Column", 28),
    "kind": ("Kind", 10),
    "source": ("From", 40),
    "type": ("New column", 12),
    "status": ("Status", 11),
    "reason": ("Reason", 30),
    "confidence": ("Confidence", 10),
    "why": ("Why", 30),
    "by": ("By", 12),
    "at": ("At", 20),
    "missing": ("Missing", 9),
    "otherwise": ("Otherwise", 10),
    "too_long": ("Too long", 18),
    "details": ("Details", 20),
}
ROUTES = {
    "object": ("Object", 14),
    "route": ("Route", 14),
    "table": ("Table", 16),
    "phase": ("Phase", 14),
    "when": ("When", 60),
    "key": ("Key", 24),
    "details": ("Details", 20),
}
CHOICES = {
    "object": ("Object", 14),
    "route": ("Route", 14),
    "column": ("Column", 28),
    "value": ("Source value", 30),
    "option": ("Option", 20),
}
MAX_CELL = 32_000  # Excel keeps 32,767 characters
_FORMULA_STARTS = tuple("=+-@\t\r\n")
Row = TypeVar("Row", ColumnRow, RouteRow, ChoiceRow)


def write_matrix(maps: dict[str, MapFile], path: Path) -> None:
    """Write the workbook: sheets Mapping, Routes and Choices. Texts never run as formulas."""
    matrix = matrix_of(maps)
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        _write_sheet(book, "Mapping", MAPPING, matrix.columns)
        _write_sheet(book, "Routes", ROUTES, matrix.routes)
        _write_sheet(book, "Choices", CHOICES, matrix.choices)


def read_matrix(path: Path, folder: Path, by: str = "", at: str = "") -> tuple[str, ...]:
    """Merge an edited workbook into the map files of `folder`; returns the objects whose file changed.

    `by` and `at` sign what the workbook confirms. Raises UsageError with every row that cannot be understood; then no
    file is changed.
    """
    matrix = _read(path)
    before = {name: edit_map(file) for name, file in read_maps(folder).items()} if folder.exists() else {}
    merging = Merging({name: deepcopy(file.data) for name, file in before.items()}, by, at)
    merge_matrix(matrix, merging)
    if merging.problems:
        raise UsageError(
            *(
                Problem(p.code, p.what, where=f"{path.name}, {p.where}", known=p.known, do=p.do)
                for p in merging.problems
            )
        )
    changed = tuple(changed_objects({name: file.data for name, file in before.items()}, merging.data))
    for name in changed:
        folder.mkdir(parents=True, exist_ok=True)
        write_map(before[name].path if name in before else folder / f"{name}.yaml", merging.data[name])
    return changed


def _write_sheet(
    book: Any, name: str, layout: dict[str, tuple[str, int]], rows: Sequence[ColumnRow | RouteRow | ChoiceRow]
) -> None:
    sheet = book.add_worksheet(name)
    head = book.add_format({"bold": True, "bottom": 1, "valign": "top"})
    text = book.add_format({"valign": "top"})
    quoted = book.add_format({"valign": "top"})
    quoted.set_quote_prefix()
    for index, (heading, width) in enumerate(layout.values()):
        sheet.set_column(index, index, width)
        sheet.write_string(0, index, heading, head)
    for number, row in enumerate(rows, start=1):
        *cells, last = astuple(row)
        for index, said in enumerate([*cells, *_pieces(last)]):
            sheet.write_string(number, index, said, quoted if said.startswith(_FORMULA_STARTS) else text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), len(layout) - 1)
    if "status" in layout:
        place = list(layout).index("status")
        sheet.data_validation(1, place, max(len(rows), 1) + 1000, place, {"validate": "list", "source": list(STATUSES)})


def _pieces(text: str) -> list[str]:
    return [text[start : start + MAX_CELL] for start in range(0, max(len(text), 1), MAX_CELL)]


def _read(path: Path) -> Matrix:
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        raise UsageError(
            Problem(
                "matrix-unreadable",
                f"{path.name} is no Excel workbook",
                where=str(path),
                do="name a workbook that was written by: flitstack map --to-excel FILE",
            )
        ) from error
    problems: list[Problem] = []
    columns = tuple(_rows(sheets, "Mapping", MAPPING, ColumnRow, path, problems))
    routes = tuple(_rows(sheets, "Routes", ROUTES, RouteRow, path, problems))
    choices = tuple(_rows(sheets, "Choices", CHOICES, ChoiceRow, path, problems))
    if problems:
        raise UsageError(*problems)
    return Matrix(columns, routes, choices)


def _rows(
    sheets: dict[str, list[list[Any]]],
    name: str,
    layout: dict[str, tuple[str, int]],
    kind: type[Row],
    path: Path,
    problems: list[Problem],
) -> Iterable[Row]:
    """Rows of a sheet, its columns found by their headings, in whatever order."""
    table = sheets.get(name) or [[]]
    headings = [_text(heading) for heading in table[0]]
    absent = [heading for heading, _ in layout.values() if heading not in headings]
    if absent:
        problems.append(
            Problem(
                "matrix-heading",
                f"sheet {name} has no column {', '.join(absent)}",
                where=f"{path.name}, sheet {name}, row 1",
                known=", ".join(heading for heading, _ in layout.values()),
                do="keep the headings of the workbook as they were written",
            )
        )
        return
    places = {word: headings.index(heading) for word, (heading, _) in layout.items()}
    for line in table[1:]:
        cells = [_text(value) for value in line]
        given = {word: cells[place] if place < len(cells) else "" for word, place in places.items()}
        if "details" in given:
            given["details"] += "".join(cells[places["details"] + 1 :])
        yield kind(**{f.name: given[f.name] for f in fields(kind)})


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a fraction, as they were typed."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return "" if value is None else str(value)
