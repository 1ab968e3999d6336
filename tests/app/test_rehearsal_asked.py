"""Whether production waits for a rehearsal: by the pack, or by decision; a Microsoft host is a production and is not even asked."""

from pathlib import Path

import pytest
from route.rounds_case import decide
from route.route_case import Migration, flit

from flitstack.packs.read import load_pack

URL = "https://acme.crm4.dynamics.com"
ASKED = {"klipy": True, "planports": True, "voopty": True, "interactive": False, "clinic": False}


@pytest.mark.parametrize("pack", ASKED)
def test_a_production_host_waits_for_the_rehearsal_where_pack_or_decision_ask(pack: str, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    made = flit("new", str(folder), "--from", pack, "--export", str(load_pack(pack).folder / "example"), "--to", URL)
    assert made.code == 0, made.stdout
    project = Migration(folder, URL)
    assert project.do("status")["gates"]["rehearsal"]["state"] == ("waiting" if ASKED[pack] else "not asked")
    assert "not-an-emulator" in project.run("run", "--rehearse").errors
    if not ASKED[pack]:
        decide(project, rehearsal=True)
        assert project.do("status")["gates"]["rehearsal"]["state"] == "waiting"
