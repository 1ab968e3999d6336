"""The automation inventory: what the source automates, and what rebuilds it. Nothing of it is migrated."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from flitstack.documents import save_json
from flitstack.reporting.document import InventoryReport
from flitstack.reporting.page import write_page


def write_inventory(report: InventoryReport, folder: Path) -> tuple[Path, Path]:
    """Write inventory.html and inventory.json into `folder`; returns both paths."""
    values = {
        "report": report,
        "heading": report.heading,
        "enabled": sum(each.enabled is not False for each in report.found),
        "unclear": sum(not each.is_recognised for each in report.found),
    }
    page = write_page("inventory.html", folder / "inventory.html", values)
    data = folder / "inventory.json"
    save_json(data, inventory_document(report))
    return page, data


def inventory_document(report: InventoryReport) -> dict[str, Any]:
    """The inventory as plain data: what `flitstack inventory --json` prints."""
    return {
        "project": report.heading.project,
        "source": report.heading.source,
        "automations": [asdict(each) for each in report.found],
        "questions": [asdict(each) for each in report.asked],
        "left_behind": [asdict(each) for each in report.left_behind],
    }
