"""The migration report: every record accounted for, every cell compared, what was left out and why, rollback proven."""

from dataclasses import dataclass
from pathlib import Path

from flitstack.reconciling.document import Account
from flitstack.reporting.document import MigrationReport
from flitstack.reporting.page import write_page
from flitstack.reporting.quality import FINDING_SHEET, finding_rows
from flitstack.reporting.workbook import Column, open_workbook

# How a record of the source can end, in the order of the bar, with the word of the legend.
ENDS = ("created", "updated", "unchanged", "merged", "excluded", "held", "rejected", "missing")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The report's first sentence. `tone` is good, partly or bad."""

    tone: str
    title: str
    text: str


def write_reconciliation(report: MigrationReport, folder: Path) -> tuple[Path, Path]:
    """Write reconciliation.html and reconciliation.xlsx into `folder`; returns both paths."""
    accounts = report.reconciled.accounts
    values = {
        "report": report,
        "heading": report.heading,
        "found": report.reconciled,
        "verdict": verdict(report),
        "ends": ENDS,
        "total": {name: sum(getattr(account, name) for account in accounts.values()) for name in ("read", *ENDS)},
    }
    page = write_page("reconciliation.html", folder / "reconciliation.html", values)
    return page, _write_book(report, folder / "reconciliation.xlsx")


def verdict(report: MigrationReport) -> Verdict:
    """What can be said in one sentence: nothing better than what the counts prove."""
    found = report.reconciled
    still_open = [report.labels.get(name, name) for name, account in found.accounts.items() if not account.closes]
    compared = f"{found.rows:,} rows and {found.cells:,} cells were read back and compared"
    if still_open:
        return Verdict(
            "bad", "Not every record is accounted for", f"Open accounts: {', '.join(still_open)}. {compared}."
        )
    if found.differences:
        return Verdict("bad", f"{found.differences:,} differences", f"Every record is accounted for; {compared}.")
    left = sum(account.held + account.rejected for account in found.accounts.values())
    if left:
        text = f"{compared}; none differs. {left:,} records are not loaded yet: each is listed with what it needs."
        return Verdict("partly", "Everything loaded is equal; some records wait", text)
    return Verdict("good", "Every record is accounted for and every cell is equal", f"{compared}; none differs.")


def _write_book(report: MigrationReport, path: Path) -> Path:
    found = report.reconciled
    with open_workbook(path, properties={"title": f"Reconciliation of {report.heading.project}"}) as book:
        book.sheet(
            "Accounts",
            [Column("Object", 20), *(Column(name.capitalize(), 12) for name in ("read", *ENDS)), Column("Closes", 10)],
            (
                [report.labels.get(name, name), *_account(account), account.closes]
                for name, account in found.accounts.items()
            ),
        )
        book.sheet(
            "Tables",
            [Column("Phase", 16), Column("Table", 26), *(Column(name, 12) for name in _TABLE_COUNTS)],
            (
                (t.phase, t.table, t.planned, t.landed, t.rejected, t.missing, t.extra, t.cells, t.differences)
                for t in found.tables
            ),
        )
        book.sheet(
            "Columns",
            [
                Column("Table", 26),
                Column("Column", 34),
                Column("Source field", 34),
                Column("Cells", 12),
                Column("Differences", 12),
            ],
            ((t.table, c.name, c.field, c.cells, c.differences) for t in found.tables for c in t.columns),
        )
        book.sheet("Findings", FINDING_SHEET, finding_rows(report.findings))
        book.sheet("Differences", FINDING_SHEET, finding_rows(report.differences))
        if report.rollback:
            book.sheet(
                "Rollback",
                [
                    Column("Table", 26),
                    Column("Rows before", 14),
                    Column("Gone", 10),
                    Column("Changed", 10),
                    Column("Equal", 10),
                ],
                ((line.table, line.rows, line.gone, line.changed, line.equal) for line in report.rollback.tables),
            )
    return path


_TABLE_COUNTS = ("Planned", "Landed", "Rejected", "Missing", "Extra", "Cells", "Differences")


def _account(account: Account) -> list[int]:
    return [int(getattr(account, name)) for name in ("read", *ENDS)]
