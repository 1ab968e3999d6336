"""History that stays behind, and parents that come with a later batch: neither is lost, neither is called an orphan."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, example_export, serving

from flitstack.documents import read_yaml, write_yaml

pytestmark = pytest.mark.slow

ARCHIVED = {"Activity": ["a01", "a02", "a03"], "Attachment": ["f01"], "Note": ["n01", "n02"]}


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The example without its deals, which come later, and without what happened before March 2024."""
    folder = tmp_path_factory.mktemp("batches")
    export = example_export(folder / "export")
    (export / "deals.csv").unlink()
    scoping = json.loads((export / "scoping.json").read_text()) | {"archive_before": "2024-03-01"}
    (export / "scoping.json").write_text(json.dumps(scoping))
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export)
        assert "awaited: (they come later)" in str(migration.run("run").document), "a missing file shuts the gate"
        settings, _ = read_yaml(migration.folder / "flitstack.yaml")
        settings["awaited"] = ["Deal"]
        write_yaml(migration.folder / "flitstack.yaml", settings)
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        yield migration


def test_history_is_excluded_by_rule_counted_and_written_to_the_archive(partly: Migration) -> None:
    found: dict[str, list[str]] = {}
    for one in partly.do("findings", "--code", "archived"):
        assert one["outcome"] == "excluded"
        found.setdefault(one["object"], []).append(one["record"])
    assert {name: sorted(records) for name, records in sorted(found.items())} == ARCHIVED
    accounts = partly.do("status")["accounts"]
    assert {name: accounts[name]["excluded"] for name in ARCHIVED} == {n: len(r) for n, r in ARCHIVED.items()}
    assert [name for name, account in accounts.items() if not account["closes"]] == []
    archive = partly.folder / "reports" / "archive"
    assert json.loads((archive / "summary.json").read_text())["records"] == {n: len(r) for n, r in ARCHIVED.items()}
    source = {row["Id"]: row for row in csv.DictReader((EXAMPLE / "activities.csv").open(encoding="utf-8-sig"))}
    kept = list(csv.DictReader((archive / "activity.csv").open(encoding="utf-8")))
    assert kept == [source[record] for record in ARCHIVED["Activity"]]
    assert [row["Id"] for row in json.loads((archive / "note.json").read_text())] == ARCHIVED["Note"]
    assert {"activity.csv", "activity.json", "attachment.csv", "note.csv"} <= {path.name for path in archive.iterdir()}


def test_parents_of_a_later_batch_are_awaited_not_missing(partly: Migration) -> None:
    awaited = {
        (one["object"], one["record"], one["outcome"]) for one in partly.do("findings", "--code", "awaiting_batch")
    }
    assert {("Note", "n03", "held"), ("Attachment", "f03", "held")} <= awaited
    orphans = {one["record"] for one in partly.do("findings", "--code", "orphan_parent")}
    assert "n04" in orphans, "its contact is no deal: nothing that comes later can be its parent"
    assert "n03" not in orphans


def test_the_later_batch_brings_them_home(partly: Migration, tmp_path: Path) -> None:
    later = tmp_path / "deals"
    later.mkdir()
    (later / "deals.csv").write_bytes((EXAMPLE / "deals.csv").read_bytes())
    partly.do("stage", "--export", str(later), "--partial", code={0, 3})
    assert "Deal" in partly.run("plan", "--delta").errors["gate-closed"]["what"], "its map is yet to be confirmed"
    partly.do("map", "--confirm", "all")
    partly.do("approve", "map")
    partly.do("plan", "--delta", code={0, 3})
    partly.do("approve", "load")
    partly.do("load", code={0, 3})
    notes = {row["notetext"]: row for row in partly.rows("annotations?$expand=objectid_opportunity($select=name)")}
    found = next(row for text, row in notes.items() if text and "Budget is fixed" in text)
    assert found["objectid_opportunity"]["name"] == "Öztürk - winter fabrics"
    assert partly.do("findings", "--code", "awaiting_batch") == []
    accounts = partly.do("status")["accounts"]
    assert [name for name, account in accounts.items() if not account["closes"]] == []
    assert partly.do("reconcile", code={0, 3})["differences"] == 0
