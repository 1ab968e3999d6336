"""The inventory page: it stands alone, and what a workflow says never becomes markup."""

from pathlib import Path

from reporting.test_pages import Outline

from flitstack.reporting.document import (
    AskedAutomation,
    FoundAutomation,
    Heading,
    InventoryReport,
    LeftBehind,
    RebuiltAction,
)
from flitstack.reporting.inventory import write_inventory

HOSTILE = "<script>alert(1)</script>"


def test_a_page_with_hostile_names_stands_alone_and_is_well_formed(tmp_path: Path) -> None:
    action = RebuiltAction("send_email", HOSTILE, "", "")
    found = FoundAutomation(
        "Workflows", "w1", HOSTILE, True, "Contact", ("contact",), "contact created", "", "Dataverse", "scope",
        (action, action), False, "workflows.json", "w1",
    )  # fmt: skip
    silent = FoundAutomation("Workflows", "w2", "", None, "", (), "", "", "", "", (), False, "workflows.json", "w2")
    asked = AskedAutomation("Campaigns", "why", "Which?", "Journeys", "texts")
    behind = tuple(LeftBehind(f"file{number}.anx", "answers", "keep") for number in range(60))
    report = InventoryReport(Heading("acme", "CRM", "2026-11-21T10:00:00Z"), (found, silent), (asked,), behind)
    page, _ = write_inventory(report, tmp_path)
    text = page.read_text(encoding="utf-8")
    outline = Outline(text)
    assert (outline.open, outline.loads) == ([], [])
    assert "<script" not in text
    assert HOSTILE in "".join(outline.text)
    assert "and 10 more, in inventory.json" in outline.text
