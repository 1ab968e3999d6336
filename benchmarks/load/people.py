"""People in a CSV as a CRM exports them, and what must become of them: plain Python only, the peers' programs import it too.

Beside texts there are choices by word, a day in another order, money, a company by its number (of 100,000) and an owner by
e-mail (of 200); 25 columns reach the destination. `row_of` is the reference that every client's rows are compared with.
"""

import csv
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNTS, OWNERS = 100_000, 200
TEXTS = (
    "firstname", "lastname", "emailaddress1", "jobtitle", "telephone1", "mobilephone", "department", "address1_line1",
    "address1_line2", "address1_city", "address1_stateorprovince", "address1_postalcode", "address1_country", "address2_line1",
    "nickname", "salutation", "description", "websiteurl",
)  # fmt: skip
GENDERS = {"male": 1, "female": 2}
MARITAL = {"single": 1, "married": 2, "divorced": 3, "widowed": 4}
TOO_LONG = 60  # a last name holds 50


def account_id(number: int) -> str:
    """The row of an account."""
    return str(uuid.UUID(int=0x0A000000_0000_7000_8000_000000000000 + number * 7919 % ACCOUNTS))


def owner_id(number: int) -> str:
    """The row of a user."""
    return str(uuid.UUID(int=0x0B000000_0000_7000_8000_000000000000 + number))


def account_key(number: int) -> str:
    """How the export names an account."""
    return f"A-{number:06}"


def owner_email(number: int) -> str:
    """How the export names an owner."""
    return f"owner{number}@example.com"


def csv_sql(rows: int, bad: range | tuple[()] = ()) -> str:
    """The export as a query; the last names of rows in `bad` are too long."""
    is_bad = f"n % {bad.step} = {bad.start % bad.step} AND n >= {bad.start}" if bad else "FALSE"
    last = f"CASE WHEN {is_bad} THEN repeat('x', {TOO_LONG}) ELSE 'Last ' || n END"
    values = {
        "n": "n", "firstname": "'First ' || n", "lastname": last, "emailaddress1": "'person' || n || '@example.com'",
        "jobtitle": "'Engineer ' || n % 97", "telephone1": "'+1 555 ' || lpad((n % 10000)::VARCHAR, 4, '0')",
        "mobilephone": "CASE WHEN n % 3 > 0 THEN '+44 7700 ' || n % 100000 END", "department": "'Department ' || n % 31",
        "address1_line1": "n || ' Long Street'", "address1_line2": "CASE WHEN n % 4 = 0 THEN 'Floor ' || n % 40 END",
        "address1_city": "'City ' || n % 500", "address1_stateorprovince": "'State ' || n % 50",
        "address1_postalcode": "lpad((n % 100000)::VARCHAR, 5, '0')", "address1_country": "'Country ' || n % 90",
        "address2_line1": "CASE WHEN n % 5 = 0 THEN n || ' Short Street' END", "nickname": "'nick' || n", "salutation": "'Dr.'",
        "description": "'Met at the fair, \"quoted\",' || chr(10) || 'with ünïcode ' || n", "websiteurl": "'https://example.com/' || n",
        "income": "format('{:,.2f}', (n % 100000) + 0.25)", "children": "n % 4",
        "birthday": "strftime(DATE '1950-01-01' + (n % 18000)::INTEGER, '%d/%m/%Y')",
        "gender": "CASE n % 3 WHEN 0 THEN 'male' WHEN 1 THEN 'female' END",
        "marital": "CASE n % 5 WHEN 0 THEN 'single' WHEN 1 THEN 'married' WHEN 2 THEN 'divorced' WHEN 3 THEN 'widowed' END",
        "company": f"CASE WHEN n % 10 > 0 THEN 'A-' || lpad((n * 31 % {ACCOUNTS})::VARCHAR, 6, '0') END",
        "owner": f"'owner' || n % {OWNERS} || '@example.com'",
    }  # fmt: skip
    listed = ", ".join(f"{sql} AS {name}" for name, sql in values.items())
    return f"SELECT {listed} FROM range({rows}) r(n)"


def write_maps(folder: Path) -> None:
    """accounts.csv (key, id) and owners.csv (key, id), which every client reads."""
    for name, count, key, row in (
        ("accounts", ACCOUNTS, account_key, account_id),
        ("owners", OWNERS, owner_email, owner_id),
    ):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("key", "id"), *((key(n), row(n)) for n in range(count))])


@dataclass(frozen=True)
class Maps:
    """What lookups resolve to."""

    accounts: Mapping[str, str]
    owners: Mapping[str, str]


def read_maps(folder: Path) -> Maps:
    """Both maps as dictionaries."""
    found = []
    for name in ("accounts", "owners"):
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            found.append({row["key"]: row["id"] for row in csv.DictReader(file)})
    return Maps(*found)


def row_of(source: Mapping[str, str], maps: Maps) -> dict[str, Any]:
    """One row as the Web API takes it; empty cells are left out."""
    row: dict[str, Any] = {name: source[name] for name in TEXTS if source[name]}
    if source["income"]:
        row["annualincome"] = float(source["income"].replace(",", ""))
    if source["children"]:
        row["numberofchildren"] = int(source["children"])
    if source["birthday"]:
        day, month, year = source["birthday"].split("/")
        row["birthdate"] = f"{year}-{month}-{day}"
    if source["gender"]:
        row["gendercode"] = GENDERS[source["gender"]]
    if source["marital"]:
        row["familystatuscode"] = MARITAL[source["marital"]]
    if source["company"]:
        row["parentcustomerid_account@odata.bind"] = f"/accounts({maps.accounts[source['company']]})"
    row["ownerid@odata.bind"] = f"/systemusers({maps.owners[source['owner']]})"
    return row


def rows(path: Path, maps: Maps) -> Iterator[dict[str, Any]]:
    """All rows of an export."""
    with path.open(newline="", encoding="utf-8") as file:
        for source in csv.DictReader(file):
            yield row_of(source, maps)
