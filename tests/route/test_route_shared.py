"""The shared Klipy export meets its known truth, to the last count, read from the destination over HTTP."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from route.route_case import LABEL, Migration, begin, record_of, serving

from flitstack.documents import read_yaml

pytestmark = pytest.mark.shared
UNSAFE = re.compile(r"<script|<iframe|\son\w+\s*=", re.IGNORECASE)
# Where an activity of each table keeps when it began.
TIMES = {"email": "actualstart", "phonecall": "actualstart", "appointment": "scheduledstart"}


@dataclass(frozen=True)
class Loaded:
    """The loaded migration, what the example says must be, and where."""

    migration: Migration
    expected: dict[str, Any]
    export: Path

    def fact(self, words: str) -> Any:
        """The value of the one fact that holds these words."""
        (found,) = [fact["value"] for fact in self.expected["facts"] if words in fact["fact"]]
        return found


@pytest.fixture(scope="module")
def loaded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    export = shared / "data" / "exports" / "klipy"
    folder = tmp_path_factory.mktemp("shared")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export)
        migration.do("run", "--rehearse", code=3)
        yield Loaded(migration, json.loads((export / "expected.json").read_text()), export)


def test_every_record_is_read(loaded: Loaded) -> None:
    files = {"Company": "companies", "Contact": "contacts", "Deal": "deals", "Activity": "activities", "Note": "notes"}
    files |= {"Attachment": "attachments", "Member": "members"}
    accounts = loaded.migration.do("status")["accounts"]
    assert {files[name]: a["read"] for name, a in accounts.items() if name in files} == loaded.expected["source_counts"]
    assert all(account["closes"] for account in accounts.values())


def test_each_table_holds_the_expected_rows(loaded: Loaded) -> None:
    tables = loaded.migration.do("status")["tables"]
    assert {name: tables.get(name) for name in loaded.expected["tables"]} == loaded.expected["tables"]


def test_each_expected_finding_is_there_and_no_other(loaded: Loaded) -> None:
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in loaded.migration.do("findings"):
        if not finding["code"].startswith("owner_"):
            found.setdefault(finding["code"], []).append((Path(finding["file"]).stem, finding["record"]))
    expected = {
        code: sorted((row["file"], row["id"]) for row in issue["rows"])
        for code, issue in loaded.expected["issues"].items()
        if not code.startswith("owner_")
    }
    assert {code: sorted(rows) for code, rows in found.items()} == expected


def test_held_are_exactly_the_records_that_must_not_load(loaded: Loaded) -> None:
    held = {(Path(f["file"]).stem, f["record"]) for f in loaded.migration.do("findings") if f["outcome"] == "held"}
    for code, issue in loaded.expected["issues"].items():
        for row in issue["rows"]:
            if row.get("held"):
                assert (row["file"], row["id"]) in held, code


def test_each_held_record_names_file_record_field_and_remedy(loaded: Loaded) -> None:
    for finding in loaded.migration.do("findings", "--outcome", "held"):
        assert all(finding[part] for part in ("file", "record", "field", "what", "do")), finding


def test_every_distinct_owner_is_settled_as_expected(loaded: Loaded) -> None:
    owners, _ = read_yaml(loaded.migration.folder / "owners.yaml")
    named = {email: owner for email, owner in owners["owners"].items() if email != "(none)"}
    expected = loaded.expected["owners"]
    assert len(named) == expected["distinct"]
    for status in ("matched", "inactive", "unmatched"):
        assert sorted(email for email, owner in named.items() if owner["status"] == status) == expected[status], status
    assert sorted(owners["provisioning_queue"]) == sorted(expected["inactive"] + expected["unmatched"])


def test_a_contact_for_each_distinct_address(loaded: Loaded) -> None:
    addresses = [row["emailaddress1"].lower() for row in loaded.migration.rows("contacts?$select=emailaddress1")]
    assert len(addresses) == len(set(addresses)) == loaded.fact("distinct valid normalised e-mail")


def test_an_account_for_each_consolidated_company_with_a_bare_host(loaded: Loaded) -> None:
    rows = loaded.migration.rows("accounts?$select=name,websiteurl")
    assert len(rows) == loaded.fact("accounts equal companies")
    hosts = [row["websiteurl"] for row in rows if row["websiteurl"]]
    assert all(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) for host in hosts), hosts
    assert len(hosts) > len(rows) // 2


def test_stages_keep_their_names_and_money_adds_up(loaded: Loaded) -> None:
    stages, sums = Counter[str](), Counter[str]()
    iso = currencies(loaded.migration)
    for row in loaded.migration.rows("opportunities"):
        stages[row[f"flit_dealstage{LABEL}"]] += 1
        if row["estimatedvalue"] is not None:
            sums[iso[row["_transactioncurrencyid_value"]]] += Decimal(str(row["estimatedvalue"]))
    assert stages == loaded.fact("opportunities by stage")
    assert {name: float(value) for name, value in sums.items()} == loaded.fact("estimated value")


def test_ai_notes_are_marked_and_keep_their_status(loaded: Loaded) -> None:
    details = loaded.migration.rows("flit_notedetails")
    assert len(details) == loaded.expected["tables"]["note"] + loaded.expected["tables"]["file"]
    ai = [row for row in details if row["flit_aigenerated"]]
    states = Counter(row[f"flit_notestatus{LABEL}"].lower() for row in ai)
    assert [len(ai), states["draft"], states["approved"]] == loaded.fact("notes marked AI")


def test_tags_are_merged_and_land_as_text(loaded: Loaded) -> None:
    assert loaded.fact("tag strategy") == "text"
    tags = {
        tag.strip()
        for table in ("contacts", "opportunities")
        for row in loaded.migration.rows(f"{table}?$select=flit_tags")
        for tag in re.split("[;,]", row["flit_tags"] or "")
        if tag.strip()
    }
    assert len(tags) == len({tag.lower() for tag in tags}) == loaded.fact("unique tags")


def test_messages_become_tasks_that_name_their_channel(loaded: Loaded) -> None:
    rows = loaded.migration.rows("tasks?$select=flit_channel")
    assert Counter(row[f"flit_channel{LABEL}"].lower() for row in rows) == loaded.fact("tasks by channel")


@pytest.mark.parametrize(
    "table", ["accounts", "contacts", "opportunities", "emails", "phonecalls", "appointments", "tasks", "annotations"]
)
def test_no_row_carries_active_markup(loaded: Loaded, table: str) -> None:
    for row in loaded.migration.rows(table):
        for column, value in row.items():
            if isinstance(value, str) and column != "documentbody":
                assert not UNSAFE.search(value), (table, column)


def test_the_samples_are_found_field_by_field(loaded: Loaded) -> None:
    by_key = {table: keyed(loaded.migration, table) for table in {s["table"] for s in loaded.expected["samples"]}}
    iso, owners = currencies(loaded.migration), users(loaded.migration)
    for sample in loaded.expected["samples"]:
        row = by_key[sample["table"]][sample["source_key"]]
        for name, value in sample["fields"].items():
            assert shown(row, sample["table"], name, iso, owners) == value, (sample["source_key"], name)


def shown(row: dict[str, Any], table: str, name: str, iso: dict[str, str], owners: dict[str, str]) -> Any:
    """The value under the name that the samples give it."""
    if name == "currency":
        return iso[row["_transactioncurrencyid_value"]]
    if name == "owner":
        return owners[row["_ownerid_value"]]
    if name == "stage":
        return row[f"flit_dealstage{LABEL}"]
    return row[TIMES[table] if name == "start" else name]


def keyed(migration: Migration, table: str) -> dict[str, dict[str, Any]]:
    """Rows of a table by the source id that they carry."""
    sets = {"opportunity": "opportunities"}
    rows = migration.rows(sets.get(table, f"{table}s"))
    return {record_of(row): row for row in rows}


def currencies(migration: Migration) -> dict[str, str]:
    """ISO code by id."""
    rows = migration.rows("transactioncurrencies?$select=isocurrencycode")
    return {row["transactioncurrencyid"]: row["isocurrencycode"] for row in rows}


def users(migration: Migration) -> dict[str, str]:
    """E-mail address by id, in lower case."""
    rows = migration.rows("systemusers?$select=internalemailaddress")
    return {row["systemuserid"]: (row["internalemailaddress"] or "").lower() for row in rows}
