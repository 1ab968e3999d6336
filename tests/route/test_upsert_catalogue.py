"""Price lists, products, people and firms of the Planports and Voopty examples that are in Dynamics before the migration."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from route.decided_case import deciding, loaded
from route.rounds_case import decide, take_round
from route.route_case import Migration
from route.test_upsert_rows import as_it_was

from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow

TABLES = {
    "account": "accounts", "contact": "contacts", "lead": "leads", "product": "products", "pricelevel": "pricelevels",
    "productpricelevel": "productpricelevels",
}  # fmt: skip
Rows = dict[str, dict[str, Any]]


def standing(migration: Migration) -> dict[str, Rows]:
    """By table, its rows by id."""
    return {table: {r[f"{table}id"]: r for r in migration.rows(plural)} for table, plural in TABLES.items()}


@dataclass
class Met:
    """A migration into an environment that knows some of it; what stood there before, after the load and after all."""

    migration: Migration
    before: dict[str, Rows]
    after: dict[str, Rows] = field(default_factory=dict)

    def take(self) -> None:
        """Load and verify."""
        loaded(self.migration)
        assert not any(account["rejected"] for account in self.migration.do("status")["accounts"].values())
        self.after = standing(self.migration)

    def one(self, table: str, **values: Any) -> dict[str, Any]:
        """The only row with these values."""
        (row,) = [
            row for row in self.after[table].values() if all(row[name] == value for name, value in values.items())
        ]
        return row

    def give_back(self) -> None:
        """Roll back: what was there is there as it was, nothing else is."""
        assert self.migration.do("rollback")["equal"]
        for table, rows in standing(self.migration).items():
            was, now = as_it_was(self.before[table]), as_it_was(rows)
            assert now.keys() == was.keys(), table
            for key, row in was.items():
                # A row with money has a currency: the platform gives it one, and nobody takes it away.
                kept = {name for name in row if name not in {"_transactioncurrencyid_value", "exchangerate"}}
                assert {name: now[key][name] for name in kept} == {name: row[name] for name in kept}, table


def bound(name: str, plural: str, row: str) -> dict[str, str]:
    return {f"{name}@odata.bind": f"/{plural}({row})"}


def a_product(migration: Migration, currency: str = "", **values: Any) -> str:
    """Make and publish a product; its id."""
    (unit,) = migration.rows("uoms?$filter=name eq 'Primary Unit'")
    sold = bound("defaultuomid", "uoms", unit["uomid"])
    sold |= bound("defaultuomscheduleid", "uomschedules", unit["_uomscheduleid_value"])
    sold |= bound("transactioncurrencyid", "transactioncurrencies", currency) if currency else {}
    migration.post("products", {"quantitydecimal": 2} | sold | values)
    (made,) = migration.rows(f"products?$filter=productnumber eq '{values['productnumber']}'")
    migration.patch(f"products({made['productid']})", {"statecode": 0, "statuscode": 1})
    return str(made["productid"])


def a_price_list(migration: Migration, name: str, currency: str) -> str:
    migration.post("pricelevels", {"name": name} | bound("transactioncurrencyid", "transactioncurrencies", currency))
    (made,) = migration.rows(f"pricelevels?$filter=name eq '{name}' and _transactioncurrencyid_value eq {currency}")
    return str(made["pricelevelid"])


def currencies(migration: Migration) -> dict[str, str]:
    return {row["isocurrencycode"]: row["transactioncurrencyid"] for row in migration.rows("transactioncurrencies")}


@pytest.fixture(scope="module")
def clinic_sales(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Met]:
    with deciding("planports", tmp_path_factory.mktemp("planports")) as make:
        migration = make()
        known = currencies(migration)
        migration.post(
            "contacts", {"lastname": "Korkut", "emailaddress1": "Defne@MarmaraKlinik.example", "jobtitle": "Dr"}
        )
        migration.post("leads", {"subject": "met at a fair", "lastname": "Acar", "emailaddress1": "MERT@mail.example"})
        implant = a_product(migration, name="Implant, as sold here", productnumber="u-1")
        euros = a_price_list(migration, "planports eur", known["EUR"])
        a_price_list(migration, "Planports TRY", known["EUR"])  # of that name, and of another currency
        (unit,) = migration.rows("uoms?$filter=name eq 'Primary Unit'")
        migration.post(
            "productpricelevels",
            {"amount": 900} | bound("pricelevelid", "pricelevels", euros) | bound("productid", "products", implant)
            | bound("uomid", "uoms", unit["uomid"]),
        )  # fmt: skip
        met = Met(migration, standing(migration))
        met.take()
        yield met


def test_no_product_price_list_or_price_is_made_a_second_time(clinic_sales: Met) -> None:
    met = clinic_sales
    assert sorted(row["productnumber"] for row in met.after["product"].values()) == ["U-2", "u-1"]
    lists = {(row["name"], row["pricelevelid"] in met.before["pricelevel"]) for row in met.after["pricelevel"].values()}
    assert lists == {("planports eur", True), ("Planports TRY", True), ("Planports TRY", False)}
    (euros,) = [row["pricelevelid"] for row in met.after["pricelevel"].values() if row["name"] == "planports eur"]
    prices = {row["amount"] for row in met.after["productpricelevel"].values() if row["_pricelevelid_value"] == euros}
    assert prices == {900, 250}, "the price that people set there stays, the other product gets one"


def test_what_is_new_points_to_what_was_there_and_the_other_way_round(clinic_sales: Met) -> None:
    met = clinic_sales
    (older,) = met.before["contact"]
    contact, firm = met.after["contact"][older], met.one("account", name="Marmara Klinik A.Ş.")
    assert (contact["_parentcustomerid_value"], contact["jobtitle"]) == (firm["accountid"], "Dr")
    assert firm["accountid"] not in met.before["account"]
    (irmak,) = [row for row in met.after["contact"].values() if row["lastname"] == "Sezer"]
    assert irmak["_parentcustomerid_value"] in met.before["account"]
    deals = met.migration.rows("opportunities?$select=name,_parentcontactid_value")
    assert {d["name"] for d in deals if d["_parentcontactid_value"] == older} == {"İmplant paketi"}
    (implant,) = met.before["product"]
    lines = met.migration.rows("quotedetails?$select=_productid_value")
    assert implant in {line["_productid_value"] for line in lines}


def test_a_later_export_adds_to_the_older_price_list_and_leaves_nothing_behind(clinic_sales: Met) -> None:
    met, later = clinic_sales, clinic_sales.migration.folder.with_name("later")
    shutil.copytree(load_pack("planports").folder / "example", later, ignore=shutil.ignore_patterns("destination"))
    # U-1 leaves the source, but it was there before: neither it nor its price goes.
    (later / "products.csv").write_text("Product Code,Name,Price\nU-2,Logo,250\nU-3,Crown,77\n")
    decide(met.migration, delta_absent="delete")
    take_round(met.migration, later, "--full")
    assert met.migration.do("reconcile", code={0, 3})["differences"] == 0
    now = standing(met.migration)
    (euros,) = [row["pricelevelid"] for row in now["pricelevel"].values() if row["name"] == "planports eur"]
    prices = sorted(r["amount"] for r in now["productpricelevel"].values() if r["_pricelevelid_value"] == euros)
    assert prices == [77, 250, 900]
    for table, rows in met.before.items():
        assert rows.keys() <= now[table].keys(), table
    met.give_back()


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Met]:
    with deciding("voopty", tmp_path) as make:
        migration = make(enrollment_model="opportunity")
        known = currencies(migration)
        migration.post("accounts", {"name": "тов  ромашка"})
        # A pupil who is there although his father is not, and the father's daughter, who is not.
        migration.post(
            "contacts", {"firstname": "Марко", "lastname": "САВЧУК", "emailaddress1": "Savchuk@mail.example"}
        )
        a_product(migration, known["EUR"], name="Англійська", productnumber="c1")
        a_price_list(migration, "Voopty UAH", known["UAH"])
        yield Met(migration, standing(migration))


def test_a_school_meets_its_pupil_firm_course_and_price_list(school: Met) -> None:
    school.take()
    (pupil,) = school.before["contact"]
    (firm,) = school.before["account"]
    (course,) = school.before["product"]
    (prices,) = school.before["pricelevel"]
    assert len(school.after["contact"]) == 8
    father = school.one("contact", firstname="Петро")
    assert school.after["contact"][pupil]["_flit_parentcontactid_value"] == father["contactid"]
    assert school.one("contact", firstname="Ірина")["_flit_parentcontactid_value"] == father["contactid"]
    assert school.one("contact", firstname="Юрій")["_parentcustomerid_value"] == firm
    assert school.after["account"].keys() == {firm}
    assert school.after["pricelevel"].keys() == {prices}
    assert [row["_pricelevelid_value"] for row in school.after["productpricelevel"].values()] == [prices] * 2
    assert {row["_productid_value"] for row in school.after["productpricelevel"].values()} >= {course}
    assert school.after["product"][course]["price"] is None, "hryvnias are no euros"
    school.give_back()
