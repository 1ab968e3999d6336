"""Each shared export's delta meets its known truth: rows made, changed and left alone, routes that changed, every cell, rollback."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from route.route_case import Migration, begin, serving

from flitstack.packs.read import pack_names

pytestmark = [pytest.mark.shared, pytest.mark.slow]


@dataclass(frozen=True)
class Delta:
    migration: Migration
    expected: dict[str, Any]
    counts: dict[str, dict[str, int]]
    again: dict[str, dict[str, int]]
    before: dict[str, Any]


def one_round(migration: Migration, delta: Path) -> dict[str, dict[str, int]]:
    """Stage, plan, approve, load; the plan's counts by table."""
    migration.do("stage", "--export", str(delta), code={0, 3})
    counts = migration.do("plan", "--delta", code={0, 3})["tables"]
    migration.do("approve", "load")
    migration.do("load", code={0, 3})
    return dict(counts)


@pytest.fixture(scope="module", params=pack_names())
def delta(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delta]:
    export = shared / "data" / "exports" / request.param
    folder = tmp_path_factory.mktemp(request.param)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export, pack=request.param)
        before = migration.admin("fingerprint")
        migration.do("run", "--rehearse", code={0, 3})
        counts = one_round(migration, export / "delta")
        again = one_round(migration, export / "delta")
        expected = json.loads((export / "expected.json").read_text())["delta"]
        yield Delta(migration, expected, counts, again, before)


def test_the_delta_makes_and_changes_what_it_must(delta: Delta) -> None:
    rerouted = len(delta.expected.get("routing_changed", ()))
    for word in ("created", "updated"):
        for table, rows in delta.expected.get(word, {}).items():
            # What the truth calls created are new records; a record that changed its route makes a new row besides.
            allowed = {rows, rows + rerouted} if word == "created" else {rows}
            assert delta.counts[table][word] in allowed, (word, table, delta.counts[table])


def test_what_did_not_change_is_left_alone(delta: Delta) -> None:
    unchanged = delta.expected.get("unchanged", {})
    if isinstance(unchanged, int):
        assert sum(count["unchanged"] for count in delta.counts.values()) == unchanged
    else:
        assert {table: delta.counts[table]["unchanged"] for table in unchanged} == unchanged


def test_the_same_delta_again_changes_nothing(delta: Delta) -> None:
    for count in delta.again.values():
        assert not any(count.get(word, 0) for word in ("created", "updated", "closed", "deleted")), delta.again


def test_no_lead_stays_open_beside_what_its_record_became(delta: Delta) -> None:
    wanted = sorted(delta.expected.get("routing_changed", ()))
    found = sorted(f["record"] for f in delta.migration.do("findings", "--code", "rerouted"))
    assert found == wanted
    leads = (
        {row["leadid"]: row for row in delta.migration.rows("leads?$select=leadid,statecode,flit_sourceid")}
        if wanted
        else {}
    )
    for record in wanted:
        (lead,) = [row for row in leads.values() if row["flit_sourceid"].endswith(f"/{record}")]
        assert lead["statecode"] == 1, record


def test_every_account_closes_and_every_cell_is_verified(delta: Delta) -> None:
    status = delta.migration.do("status")
    assert status["accounts"]
    assert all(account["closes"] for account in status["accounts"].values()), status["accounts"]
    told = delta.migration.do("reconcile", code={0, 3})
    assert told["differences"] == 0
    assert told["closes"]


def test_a_delta_shuts_no_gate_before_the_load(delta: Delta) -> None:
    gates = delta.migration.do("status")["gates"]
    assert {name: gate["state"] for name, gate in gates.items() if name != "cutover"} == {
        name: "not asked" if name == "rehearsal" else "open" for name in gates if name != "cutover"
    }


def test_rollback_takes_back_the_load_and_its_deltas(delta: Delta) -> None:
    undone = delta.migration.do("rollback")
    assert (undone["kept"], undone["failed"], undone["equal"]) == (0, 0, True)
    after = delta.migration.admin("fingerprint")
    assert {name: table for name, table in after.items() if table} == {name: t for name, t in delta.before.items() if t}
