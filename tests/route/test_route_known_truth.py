"""A generated export whose faults were planted: the destination holds what must be there, the findings name what must not."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.route_case import Migration, begin, serving

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from klipy_export import write_export

CONTACTS = 300


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, Any]]]:
    """The export of 300 contacts, loaded by one rehearsal."""
    folder = tmp_path_factory.mktemp("truth")
    write_export(folder / "export", CONTACTS, seed=3, dirt=0.05)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, folder / "export")
        migration.do("run", "--rehearse", code=3)
        yield migration, json.loads((folder / "export" / "truth.json").read_text())


def test_each_table_holds_the_rows_that_the_truth_counts(route: tuple[Migration, dict[str, Any]]) -> None:
    migration, truth = route
    status = migration.do("status")
    assert {name: status["tables"][name] for name in truth["tables"]} == truth["tables"]
    assert all(account["closes"] for account in status["accounts"].values())


def test_each_planted_fault_is_found_and_nothing_else(route: tuple[Migration, dict[str, Any]]) -> None:
    migration, truth = route
    found: dict[str, list[str]] = {code: [] for code in truth["findings"]}
    for finding in migration.do("findings"):
        found.setdefault(finding["code"], []).append(finding["record"])
    # Two of the few made-up names may meet in one company: alike, listed, and rightly kept apart.
    found.pop("possible_duplicate", None)
    assert {code: sorted(ids) for code, ids in found.items()} == truth["findings"]


def test_every_mapped_field_arrived(route: tuple[Migration, dict[str, Any]]) -> None:
    migration, truth = route
    document = migration.do("reconcile", code=3)
    assert document["differences"] == 0
    assert document["rows"] >= sum(truth["tables"].values())
    assert document["cells"] > 5 * document["rows"]
