"""A plan is loaded only while it is the plan of what is there: of the export as staged, the duplicates as decided, the map."""

from collections.abc import Iterator
from shutil import copytree

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, serving


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The example with every gate open."""
    folder = tmp_path_factory.mktemp("outdated")
    copytree(EXAMPLE, folder / "export")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, folder / "export")
        migration.go(TO_PLAN + TO_LOAD)
        yield migration


def refused(migration: Migration, *words: str) -> str:
    """Why a load is refused."""
    answer = migration.run("load", *words)
    assert answer.code == 4, answer.stderr
    return str(answer.errors["gate-closed"]["what"])


def test_a_load_waits_for_a_new_plan_once_the_map_was_changed_and_approved(approved: Migration) -> None:
    path = approved.folder / "mapping" / "Contact.yaml"
    before = path.read_text()
    path.write_text(before.replace("table: contact", "table:  contact", 1))
    approved.do("approve", "map")
    assert "the map was changed after the plan: run: flitstack plan" in refused(approved)
    assert "the map was changed after the plan" in refused(approved, "--sample")
    path.write_text(before)
    approved.do("approve", "map")
    assert approved.do("status")["gates"]["load"]["state"] == "open"


def test_a_load_waits_for_a_new_plan_once_a_corrected_export_was_staged_and_approved(approved: Migration) -> None:
    path = approved.folder.parent / "export" / "contacts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",Owner,+49", ",Host,+49"), encoding="utf-8")
    approved.go(((("stage",), {0, 3}), (("dedupe",), {0}), (("approve", "export"), {0}), (("approve", "quality"), {0})))
    assert "the export was staged anew after the plan: run: flitstack plan" in refused(approved)
    approved.do("plan", code={0, 3})
    gates = approved.do("status")["gates"]
    assert {name: gates[name]["state"] for name in ("schema", "owners")} == {"schema": "open", "owners": "open"}
