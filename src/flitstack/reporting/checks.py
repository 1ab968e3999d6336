"""The gotchas of a source and of the environment, each with its evidence."""

from pathlib import Path

from flitstack.reporting.document import STATES, ChecksReport, in_order
from flitstack.reporting.page import write_page


def write_checks(report: ChecksReport, folder: Path) -> Path:
    """Write checks.html into `folder`; returns its path."""
    counts = {state: sum(check.state == state for check in report.checks) for state in STATES}
    values = {"report": report, "heading": report.heading, "checks": in_order(report.checks), "counts": counts}
    return write_page("checks.html", folder / "checks.html", values)
