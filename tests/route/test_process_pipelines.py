"""Each pipeline has its own business process flow; the decision's other side: nobody asked, and the platform has its own way."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from route.route_case import Migration, begin, serving
from route.test_process_stages import places

from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow

PLANNING = {"name": "Planning", "uniquename": "new_planning", "stages": ["Inquiry", "Proposal", "Signed"], "order": 1}
UPKEEP = {"name": "Care", "uniquename": "new_care", "stages": ["Ask", "Inquiry", "Renewed"], "order": 2}


def rehearsed(folder: Path, url: str, *processes: dict[str, Any], **decided: Any) -> Migration:
    export = folder / "export"
    shutil.copytree(load_pack("interactive").folder / "example", export)
    scoping = json.loads((export / "scoping.json").read_text()) | decided
    (export / "scoping.json").write_text(json.dumps(scoping))
    (export / "destination" / "processes.json").write_text(json.dumps(processes))
    migration = begin(folder / "acme", url, export, pack="interactive")
    migration.do("run", "--rehearse", code={0, 3})
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    return migration


def test_each_deal_stands_in_the_process_of_its_pipeline(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = rehearsed(tmp_path, url, PLANNING, UPKEEP, stage_process="follow", process_names={"Upkeep": "Care"})
        assert places(migration, "new_plannings", "bpf_opportunityid") == {
            "D1": ("Signed", PLANNING["stages"], 2), "D3": ("Proposal", PLANNING["stages"][:2], 1),
            "D6": ("Inquiry", ["Inquiry"], 3),
        }  # fmt: skip
        assert places(migration, "new_cares", "bpf_opportunityid") == {"D2": ("Inquiry", UPKEEP["stages"][:2], 1)}
        assert migration.do("rollback")["equal"]
        assert migration.rows("new_plannings") == migration.rows("new_cares") == []


def test_where_nobody_asked_the_platforms_own_instances_are_left_alone_and_go_with_their_deals(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = rehearsed(tmp_path, url, PLANNING, UPKEEP)
        started = places(migration, "new_plannings", "bpf_opportunityid")
        assert {deal: place[0] for deal, place in started.items()} == dict.fromkeys(("D1", "D2", "D3", "D6"), "Inquiry")
        assert migration.do("rollback")["equal"]
        assert migration.rows("new_plannings") == []
