"""The data-quality report: what the export holds, what is wrong with it, what a person must decide."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flitstack.profiling.document import FieldProfile, ObjectProfile
from flitstack.reporting.document import FindingGroup, QualityReport
from flitstack.reporting.page import write_page
from flitstack.reporting.workbook import Cell, Column, open_workbook


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """One object in numbers: records read, and where they go before mapping."""

    object: str
    label: str
    records: int
    staying: int
    merged: int
    alike: int
    held: int
    excluded: int
    repeated: int  # records whose address, host, phone or id another one has


def write_quality(report: QualityReport, folder: Path) -> tuple[Path, Path]:
    """Write quality.html and quality.xlsx into `folder`; returns both paths."""
    lines = object_lines(report)
    values = {
        "report": report,
        "heading": report.heading,
        "objects": lines,
        "total": {
            name: sum(getattr(line, name) for line in lines)
            for name in ("records", "staying", "merged", "alike", "held", "excluded")
        },
        "open_points": open_points(report),
        "unmatched": [file for file in report.staging.files if not file.object],
    }
    page = write_page("quality.html", folder / "quality.html", values)
    return page, _write_book(report, lines, folder / "quality.xlsx")


def object_lines(report: QualityReport) -> list[ObjectLine]:
    """The objects of the snapshot, in its order."""
    lines = []
    for name, found in report.profile.objects.items():
        merged = report.dedupe.tables.get(name) if report.dedupe else None
        lines.append(
            ObjectLine(
                name,
                found.label,
                found.records,
                merged.records if merged else found.records,
                merged.merged if merged else 0,
                merged.flagged if merged else 0,
                merged.held if merged else 0,
                merged.excluded if merged else 0,
                max((key.repeated for key in found.keys), default=0),
            )
        )
    return lines


def open_points(report: QualityReport) -> list[str]:
    """What a person should look at before signing, in words, the gravest first."""
    points = []
    held = sum(group.count for group in report.findings if group.outcome == "held")
    if held:
        points.append(f"Records held back: {held:,}. Findings says what each of them needs.")
    unmatched = [file.path for file in report.staging.files if not file.object]
    if unmatched:
        points.append(f"Files that match no object of the source: {', '.join(unmatched)}.")
    for found in report.profile.objects.values():
        points += _points_of(found)
    if report.dedupe:
        merged = sum(table.merged for table in report.dedupe.tables.values())
        alike = sum(table.flagged for table in report.dedupe.tables.values())
        if merged or alike:
            points.append(f"To sign in reports/merges.xlsx: merges: {merged:,}, pairs that only look alike: {alike:,}.")
    return points


def _points_of(found: ObjectProfile) -> Iterator[str]:
    unknown = [field.header for field in found.fields if not field.known]
    if unknown:
        yield f"{found.label}: columns the source pack does not know: {', '.join(unknown)}."
    if found.missing:
        yield f"{found.label}: fields that no file has: {', '.join(found.missing)}."
    for field in found.fields:
        if field.unreadable:
            shapes = ", ".join(field.unreadable_shapes)
            values = "value" if field.unreadable == 1 else "values"
            yield f"{found.label}, {field.name}: {field.unreadable:,} {values} cannot be read as {field.declared} ({shapes})."


def _write_book(report: QualityReport, lines: list[ObjectLine], path: Path) -> Path:
    with open_workbook(path, properties={"title": f"Data quality of {report.heading.project}"}) as book:
        book.sheet(
            "Objects",
            [Column(name, width) for name, width in _OBJECT_COLUMNS],
            (
                (o.object, o.records, o.staying, o.merged, o.alike, o.held, o.excluded, o.repeated)
                for o in lines
            ),
        )  # fmt: skip
        book.sheet("Open points", [Column("What", 120)], ([point] for point in open_points(report)))
        book.sheet("Findings", FINDING_SHEET, finding_rows(report.findings))
        book.sheet(
            "Fields",
            [Column(name, width) for name, width in _FIELD_COLUMNS],
            (_field_row(found, field) for found in report.profile.objects.values() for field in found.fields),
        )
        book.sheet(
            "Files",
            [Column(name, width) for name, width in _FILE_COLUMNS],
            (
                (f.path, f.object, f.format, f.encoding, f.delimiter, f.records, f.rejects, f.size_bytes, f.sha256)
                for f in report.staging.files
            ),
        )
    return path


def finding_rows(groups: tuple[FindingGroup, ...]) -> Iterator[list[Cell]]:
    """Rows of FINDING_SHEET."""
    for group in groups:
        examples: list[Cell] = [f"{one.place}: {one.what} {one.shape}".strip() for one in group.examples]
        examples += [""] * (3 - len(examples))
        yield [group.code, group.object, group.outcome, group.count, group.do, *examples]


FINDING_SHEET = [
    Column("Code", 22), Column("Object", 14), Column("Outcome", 12), Column("Count", 10), Column("What to do", 60),
    Column("Example 1", 60), Column("Example 2", 60), Column("Example 3", 60),
]  # fmt: skip
_OBJECT_COLUMNS = (
    ("Object", 18), ("Records", 12), ("Staying", 12), ("Merged away", 14), ("Look alike", 12), ("Held", 10),
    ("Excluded", 12), ("Repeat a key", 14),
)  # fmt: skip
_FIELD_COLUMNS = (
    ("Object", 16), ("Field", 24), ("Heading in the file", 24), ("Known", 8), ("Declared", 12), ("Holds", 12),
    ("Records", 10), ("Filled", 10), ("Distinct", 10), ("Shortest", 10), ("Longest", 10), ("Unreadable", 12),
    ("Least", 14), ("Greatest", 14), ("Far out", 10), ("Personal because", 34), ("Frequent", 60),
)  # fmt: skip
_FILE_COLUMNS = (
    ("File", 44), ("Object", 16), ("Format", 10), ("Encoding", 12), ("Delimiter", 10), ("Records", 10), ("Unreadable", 12),
    ("Bytes", 14), ("sha256", 68),
)  # fmt: skip


def _field_row(found: ObjectProfile, field: FieldProfile) -> list[Cell]:
    frequent = "; ".join(f"{value.text} ({value.records:,})" for value in field.top)
    return [
        found.object, field.name, field.header, field.known, field.declared, field.kind, found.records, field.filled,
        field.distinct, field.shortest, field.longest, field.unreadable, field.low, field.high, field.outliers,
        field.personal, frequent,
    ]  # fmt: skip
