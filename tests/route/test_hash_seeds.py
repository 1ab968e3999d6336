"""What people approve is the same in every process: Python orders a set's words anew in each one.

A gate is a hash of what stands; one that came out otherwise in the next process would shut again whatever is approved.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from route.route_case import Migration, begin, environment, serving

from flitstack.packs.read import load_pack, pack_names

TO_PLAN = """
import sys
from pathlib import Path
from flitstack.app.project import Project
from flitstack.app.result import Silent
from flitstack.app.steps.run import rehearse
rehearse(Project.open(Path(sys.argv[1]), "test"), Silent(), last="plan")
"""


def plan_anew(migration: Migration, seed: int) -> None:
    """Every step up to the plan, in a process of this hash seed; what is not open is approved."""
    words = [sys.executable, "-c", TO_PLAN, str(migration.folder)]
    subprocess.run(words, env=environment() | {"PYTHONHASHSEED": str(seed)}, check=True, timeout=300)


# Interactive has the most routes that wait for each other; the others run in `make soak`.
@pytest.mark.parametrize(
    "pack", [pytest.param(name, marks=[pytest.mark.slow] * (name != "interactive")) for name in pack_names()]
)
def test_what_one_process_planned_and_a_person_approved_every_other_process_plans_again(
    pack: str, tmp_path: Path
) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, load_pack(pack).folder / "example", pack=pack)
        plan_anew(migration, seed=1)
        for gate in ("schema", "owners"):
            migration.do("approve", gate)
        approved = (migration.folder / "approvals.yaml").read_text()
        plan_anew(migration, seed=2)
        gates = migration.do("status")["gates"]
    assert (migration.folder / "approvals.yaml").read_text() == approved
    assert {name: gates[name]["state"] for name in ("export", "quality", "map", "owners", "schema")} == dict.fromkeys(
        ("export", "quality", "map", "owners", "schema"), "open"
    )
