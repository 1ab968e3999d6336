"""The example of every bundled pack, from export to reconciled and rolled back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.route_case import Migration, begin, serving

from flitstack.packs.read import load_pack, pack_names

# What each example holds of its pack's own rules: rows by table, findings by code.
EXAMPLES = {
    "clinic": (
        {"account": 4, "contact": 6, "appointment": 4, "flit_clinicencounter": 2, "flit_clinicprescription": 1},
        {"suppressed": 2, "invalid_npi": 1, "invalid_code": 1, "unsafe_html": 1, "required_missing": 1},
    ),
    "interactive": (
        {"account": 9, "lead": 2, "contact": 4, "flit_matter": 3, "flit_asset": 2, "connection": 9, "file": 2},
        {"circular_parent": 2, "placeholder_created": 1, "deal_on_lead": 1, "not_portable": 2, "kept_as_lookup": 3},
    ),
    "planports": (
        {
            "account": 3,
            "contact": 6,
            "lead": 6,
            "opportunity": 3,
            "quote": 3,
            "quotedetail": 3,
            "pricelevel": 2,
            "productpricelevel": 4,
            "salesorder": 2,
            "salesorderdetail": 2,
            "task": 2,
            "note": 7,
            "file": 1,
        },
        {
            "orphan_parent": 5,
            "test_record": 2,
            "duplicate_merged": 1,
            "joined_lead": 2,
            "joined_chat": 4,
            "total_mismatch": 1,
            "unknown_product": 1,
            "unknown_choice": 2,
            "no_equivalent": 1,
            "negative_money": 1,
            "bad_date": 1,
        },
    ),
    "voopty": (
        {
            "account": 1,
            "contact": 8,
            "appointment": 3,
            "flit_attendance": 4,
            "flit_payment": 3,
            "product": 2,
            "opportunity": 2,
        },
        {
            "bad_schedule": 1,
            "same_person": 1,
            "unknown_choice": 1,
            "unresolved_lookup": 2,
            "not_enrolled": 1,
            "duplicate_merged": 1,
        },
    ),
}
NAMES = [name for name in pack_names() if name in EXAMPLES]


# One pack's whole route in every run, the others in `make soak`; what each record becomes is tested in pack_items.
@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name != "planports")) for name in NAMES]
)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Migration]]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, load_pack(request.param).folder / "example", pack=request.param)
        migration.do("run", "--rehearse", code=3)
        yield request.param, migration


def test_rows_and_findings_are_those_of_the_example(loaded: tuple[str, Migration]) -> None:
    name, migration = loaded
    rows, codes = EXAMPLES[name]
    status = migration.do("status")
    assert {table: status["tables"].get(table) for table in rows} == rows
    assert all(account["closes"] for account in status["accounts"].values()), status["accounts"]
    findings = migration.do("findings")
    assert {code: sum(found["code"] == code for found in findings) for code in codes} == codes


def test_it_is_verified_and_rolled_back(loaded: tuple[str, Migration]) -> None:
    _, migration = loaded
    told = migration.do("reconcile", code={0, 3})
    assert told["differences"] == 0
    assert migration.do("rollback", "--force", "--schema")["equal"]


def test_what_has_no_home_in_a_crm_is_exported_with_counts_and_sums(loaded: tuple[str, Migration]) -> None:
    name, migration = loaded
    reference = load_pack(name).playbook["reference"]
    wanted = {each for each, said in reference.items() if said["becomes"] == "export"}
    folder = migration.folder / "exports"
    summary = json.loads((folder / "summary.json").read_text()) if folder.exists() else {}
    assert summary.keys() == wanted
    for each, told in summary.items():
        assert told["records"] == migration.do("status")["accounts"][each]["read"]
        assert len(json.loads((folder / f"{each.lower()}.json").read_text())) == told["records"]
    if name == "clinic":
        assert summary["Claim"]["sums"] == {"billed": 275.5, "paid": 120.0, "adjustment": -60.5}
