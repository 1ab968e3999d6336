"""An object that the pack does not know becomes a custom table: proposed, confirmed, loaded, changed by a delta, taken back."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import take_round
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, record_of, serving

from flitstack.documents import read_yaml
from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow

TRUSTS = """TrustId,Trust Name,Grantor,Trustee Company,Parent Trust,Opened,Share,Owner,Remarks
TR-1,Moreau Family Trust,P1,K1,,05/01/2023,12.5,nora.quist@quistlaw.example,revocable
TR-2,Lake House Trust,P4,K2,TR-1,05/02/2023,100,nora.quist@quistlaw.example,its grantor is a lead
TR-3,Nobody's Trust,P99,,,05/03/2023,7.25,gone@quistlaw.example,the grantor is not in the export: listed
TR-4,Third Trust,P2,K1,TR-1,05/04/2023,1,olaf.brandt@quistlaw.example,
TR-5,Fourth Trust,P3,K2,,05/05/2023,2,olaf.brandt@quistlaw.example,
"""
BENEFICIARIES = """Trust,Beneficiary,Portion
TR-1,P2,50
TR-1,P3,50
TR-2,P2,100
TR-2,P1,100
"""
REVIEWS = '[{"visit": "annual", "on": "2023-05-06"}, {"visit": "annual", "on": "2023-05-06"}]'


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("found")
    export = folder / "export"
    shutil.copytree(load_pack("interactive").folder / "example", export)
    (export / "trusts_2023-06.csv").write_text(TRUSTS)
    (export / "trust_beneficiaries.csv").write_text(BENEFICIARIES)
    (export / "reviews.json").write_text(REVIEWS)
    (export / "billing_codes.csv").write_text("Code,Text\nB1,Hour\nB2,Flat\n")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export, pack="interactive")
        migration.do("stage", code={0, 3})
        migration.do("map")
        yield migration


@pytest.fixture(scope="module")
def moved(proposed: Migration) -> tuple[Migration, dict[str, Any]]:
    before = proposed.admin("fingerprint")
    proposed.do("map", "--reject", "BillingCodes=kept in the billing system")
    proposed.go(TO_PLAN + TO_LOAD)
    proposed.do("load", code={0, 3})
    return proposed, before


def test_an_unknown_object_is_told_and_waits_in_the_map(proposed: Migration) -> None:
    told = {one["object"]: one for one in proposed.do("findings") if one["code"] == "object_found"}
    assert set(told) == {"Trusts", "TrustBeneficiaries", "Reviews", "BillingCodes"}
    assert proposed.run("approve", "map").code == 4
    objects = read_yaml(proposed.folder / "objects.yaml")[0]["objects"]
    assert objects["Trusts"]["key"] == "TrustId"
    links = {name: said["links"] for name, said in objects["Trusts"]["fields"].items() if "links" in said}
    assert links == {"Grantor": "Contact", "Trustee Company": "Company", "Parent Trust": "Trusts"}
    assert objects["TrustBeneficiaries"]["key"] == ["Trust", "Beneficiary"]
    assert "key" not in objects["Reviews"]


def test_its_columns_are_typed_and_its_own_name_is_the_tables(proposed: Migration) -> None:
    route = read_yaml(proposed.folder / "mapping" / "Trusts.yaml")[0]["routes"][0]
    assert route["table"] == "flit_trust"
    assert dict(route["create_table"]) == {"label": "Trust", "plural": "Trusts", "name_label": "Trust Name"}
    assert route["columns"]["flit_name"]["from"] == 'clean("Trust Name")'
    types = {name: rule["create"]["type"] for name, rule in route["columns"].items() if "create" in rule}
    assert types == {
        "flit_trustid2": "String", "flit_grantorid": "Lookup", "flit_grantorcontactid": "Lookup",
        "flit_trusteecompanyid": "Lookup", "flit_parenttrustid": "Lookup", "flit_opened": "DateTime",
        "flit_share": "Decimal", "flit_remarks": "String",
    }  # fmt: skip
    assert route["columns"]["ownerid"]["from"] == '"Owner"'


def test_its_rows_point_where_the_values_do(moved: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = moved
    rows = {record_of(row): row for row in migration.rows("flit_trusts")}
    assert {record: row["flit_name"] for record, row in rows.items()} == {
        "TR-1": "Moreau Family Trust", "TR-2": "Lake House Trust", "TR-3": "Nobody's Trust", "TR-4": "Third Trust",
        "TR-5": "Fourth Trust",
    }  # fmt: skip
    contacts = {row["contactid"]: record_of(row) for row in migration.rows("contacts")}
    leads = {row["leadid"]: record_of(row) for row in migration.rows("leads")}
    grantors = {
        record: (leads.get(row["_flit_grantorid_value"]), contacts.get(row["_flit_grantorcontactid_value"]))
        for record, row in rows.items()
    }
    assert grantors["TR-1"] == (None, "P1")
    assert grantors["TR-2"] == ("P4", None)
    assert rows["TR-2"]["_flit_parenttrustid_value"] == rows["TR-1"]["flit_trustid"]
    joined = [(row["_flit_trustid_value"], row["flit_portion"]) for row in migration.rows("flit_trustbeneficiaries")]
    assert sorted(joined) == sorted(
        [(rows["TR-1"]["flit_trustid"], 50)] * 2 + [(rows["TR-2"]["flit_trustid"], 100)] * 2
    )
    assert len(migration.rows("flit_reviews")) == 2, "two records without a key that look the same are two rows"


def test_what_does_not_resolve_is_listed_once_and_all_accounts_close(moved: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = moved
    unresolved = [f for f in migration.do("findings") if f["code"] == "unresolved_lookup" and f["object"] == "Trusts"]
    assert [(f["record"], f["outcome"]) for f in unresolved] == [("TR-3", "loaded")]
    accounts = migration.do("status")["accounts"]
    assert [name for name, account in accounts.items() if not account["closes"]] == []
    assert accounts["Trusts"]["created"] == 5
    assert accounts["BillingCodes"] | {"excluded": 2, "created": 0} == accounts["BillingCodes"]
    assert migration.do("reconcile", code={0, 3})["differences"] == 0


def test_a_later_export_changes_its_rows_and_rollback_takes_all_back(
    moved: tuple[Migration, dict[str, Any]], tmp_path: Path
) -> None:
    migration, before = moved
    later = tmp_path / "later"
    later.mkdir()
    records = list(csv.reader(TRUSTS.splitlines()))
    records[1][1] = "Moreau Dynasty Trust"
    records.append(["TR-6", "New Trust", "P1", "K1", "TR-2", "06/06/2023", "3", "olaf.brandt@quistlaw.example", "new"])
    with (later / "trusts_2023-07.csv").open("w", newline="") as file:
        csv.writer(file).writerows([records[0], records[1], records[-1]])
    take_round(migration, later)
    rows = {record_of(row): row["flit_name"] for row in migration.rows("flit_trusts")}
    assert rows["TR-1"] == "Moreau Dynasty Trust"
    assert rows["TR-6"] == "New Trust"
    assert len(rows) == 6
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert migration.do("rollback")["equal"]
    assert migration.admin("fingerprint")["tables"] == before["tables"]
