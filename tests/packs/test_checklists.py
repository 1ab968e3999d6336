"""docs/packs.md: fresh, every test it names exists, and no item of the requirements is missing."""

import re
from pathlib import Path

import pytest

from flitstack.app.steps.packs import packs_table
from flitstack.packs.checklist import missing_tests, read_checklist
from flitstack.packs.read import pack_names
from flitstack.packs.table import checklist_files, checklists

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_command_prints() -> None:
    printed = "\n".join(packs_table().lines) + "\n"
    assert (ROOT / "docs" / "packs.md").read_text(encoding="utf-8") == printed, "flitstack packs table > docs/packs.md"


@pytest.mark.parametrize("path", checklist_files(), ids=lambda path: path.parent.name)
def test_every_test_that_the_checklist_names_exists(path: Path) -> None:
    items, problems = read_checklist(path)
    assert problems == []
    assert items
    assert list(missing_tests(items, ROOT, path)) == []


def test_every_pack_has_a_checklist_and_no_two_items_share_a_number() -> None:
    assert len(checklists()) == len(pack_names()) + 1
    numbers = [item.id for items in checklists().values() for item in items]
    assert len(numbers) == len(set(numbers))


@pytest.mark.shared
def test_every_item_of_the_requirements_is_in_the_table(shared: Path) -> None:
    text = (shared / "reference" / "exports.md").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^- ([XKIPVC]\d+)\b[ :(]", text, re.MULTILINE))
    assert len(wanted) > 100
    named = {item.id for items in checklists().values() for item in items}
    # Lines of several items ("K5, P6, I8") name such as stand on their own elsewhere.
    assert wanted <= named, sorted(wanted - named)
