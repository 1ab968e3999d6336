"""Deals go on while the source lives: their instances move stage by stage, end, are taken up again, and go back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, serving
from route.test_process_stages import SALES, example, places

from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow

STAGES = SALES["stages"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, Source]]:
    folder = tmp_path_factory.mktemp("rounds")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, example(folder, SALES))
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        yield migration, Source.example(folder)


def test_a_round_moves_instances_stage_by_stage_and_takes_them_back(loaded: tuple[Migration, Source]) -> None:
    migration, source = loaded
    before = places(migration)
    source.change("deals", "d05", Stage="Negotiation")
    source.change("deals", "d03", Stage="Closed Won")
    source.change("deals", "d02", Stage="Closed Lost")
    source.change("deals", "d01", Stage="Proposal")
    source.change("deals", "d10", **{
        "Deal Name": "Quarry - new", "Value": "10", "Currency": "EUR", "Stage": "Proposal", "Company": "Quarry & Sons Ltd.",
        "Owner Email": "ana@northbeam.example", "Created At": "2024-06-01 10:00",
    })  # fmt: skip
    plan = take_round(migration, source.partial(), "--partial")
    assert plan["tables"]["opportunitysalesprocess"]["updated"] == 4
    after = places(migration)
    assert after == {
        "d01": ("Proposal", STAGES[:3], 1), "d02": ("Negotiation", STAGES[:4], 3), "d03": ("Close", STAGES, 2),
        "d04": before["d04"], "d05": ("Negotiation", STAGES[:4], 1), "d09": before["d09"], "d10": ("Proposal", STAGES[:3], 1),
    }  # fmt: skip
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert all(account["closes"] for account in migration.do("status")["accounts"].values())
    assert [f["code"] for f in migration.do("findings") if f["outcome"] == "rejected"] == []
    migration.do("rollback", "--last")
    assert places(migration) == before


def test_what_people_moved_in_dynamics_stays_and_a_lost_deal_stays_where_it_stood(
    loaded: tuple[Migration, Source],
) -> None:
    migration, source = loaded
    source.records, source.changed = Source.example(source.folder).records, {}
    stages = {row["stagename"]: row["processstageid"] for row in migration.rows("processstages")}
    deals = {row["flit_sourceid"][-3:]: row["opportunityid"] for row in migration.rows("opportunities")}
    (row,) = migration.rows(f"opportunitysalesprocesses?$filter=_opportunityid_value eq {deals['d09']}")
    path = [stages[name] for name in STAGES[:3]]
    moved = {"activestageid@odata.bind": f"/processstages({path[-1]})", "traversedpath": ",".join(path)}
    migration.patch(f"opportunitysalesprocesses({row['businessprocessflowinstanceid']})", moved)
    source.change("deals", "d05", Stage="Closed Lost")
    take_round(migration, source.partial(), "--partial")
    found = places(migration)
    assert found["d09"] == ("Proposal", STAGES[:3], 1)
    assert found["d05"] == ("Discovery", STAGES[:2], 3), "it was lost where it stood"
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    decide(migration, stage_process="none")
    source.change("deals", "d05", Stage="Discovery")
    migration.do("stage", "--export", str(source.partial()), "--partial", code={0, 3})
    problem = migration.run("plan", "--delta").errors["process-late"]
    assert "stage_process: follow" in problem["do"]


def test_a_rollback_of_all_rounds_leaves_the_destination_as_it_was(loaded: tuple[Migration, Source]) -> None:
    migration, _ = loaded
    decide(migration, stage_process="follow")
    assert migration.do("rollback", "--force")["equal"]
    assert migration.rows("opportunitysalesprocesses") == []
    assert len(migration.rows("processstages")) == len(STAGES)


def test_a_deal_that_was_in_dynamics_before_keeps_the_process_it_stands_in(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(load_pack("klipy").folder, pack)
    text = (pack / "playbook.yaml").read_text(encoding="utf-8")
    known = "  contact: [email_key(emailaddress1)]\n"
    assert known in text
    (pack / "playbook.yaml").write_text(
        text.replace(known, f"{known}  opportunity: [label_key(name)]\n"), encoding="utf-8"
    )
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, example(tmp_path, SALES), pack=str(pack))
        migration.post("opportunities", {"name": "Quarry - scaffolding"})
        (own,) = migration.rows("opportunitysalesprocesses")
        migration.go(TO_PLAN[:-1])
        notes = migration.do("plan", code={0, 3})["notes"]
        assert [note for note in notes if note.startswith("opportunitysalesprocess: 1 records were in the environment")]
        migration.go(TO_LOAD)
        migration.do("load", code={0, 3})
        mine = [
            row
            for row in migration.rows("opportunitysalesprocesses")
            if row["_opportunityid_value"] == own["_opportunityid_value"]
        ]
        assert [row["versionnumber"] for row in mine] == [own["versionnumber"]]
        assert places(migration)["d02"] == ("Qualify", ["Qualify"], 1)
        assert set(places(migration)) == {"d01", "d02", "d03", "d04", "d05", "d09"}
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        assert migration.do("rollback")["equal"]
        assert migration.rows("opportunitysalesprocesses") == [own]


def test_answers_that_are_lost_double_no_instance(tmp_path: Path) -> None:
    kinds = ("cut_midway", "cut_after", "truncated_body")
    mishaps = [{"kind": kind, "method": "POST", "probability": 0.4, "times": 5} for kind in kinds]
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, example(tmp_path, SALES))
        migration.go(TO_PLAN + TO_LOAD)
        migration.admin("faults", {"seed": 4, "rules": mishaps})
        migration.do("load", code={0, 3})
        migration.admin("faults", {"rules": []})
        rows = [row["_opportunityid_value"] for row in migration.rows("opportunitysalesprocesses")]
        assert len(rows) == len(set(rows)) == 6
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
