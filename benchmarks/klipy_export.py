"""A seeded Klipy CRM export of any size, with planted dirt and the truth about it.

    python benchmarks/klipy_export.py OUT --contacts 100000 [--seed 1]

writes the export to OUT, what the destination holds before to OUT/destination, the choices to OUT/scoping.json and the
known truth to OUT/truth.json: rows each table must end with, and the ids that must be held or merged, by code.
"""

import argparse
import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

GIVEN = [
    "Ana",
    "Ben",
    "Chloé",
    "Dmytro",
    "Emil",
    "Fatma",
    "Güneş",
    "Hanako",
    "Ivo",
    "José",
    "Kaija",
    "Lena",
    "Müge",
    "Nadia",
    "Oleh",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tuğba",
]
FAMILY = [
    "Abel",
    "Öztürk",
    "Kovalenko",
    "Nguyễn",
    "García-López",
    "O'Neill",
    "Łuczak",
    "Þórsson",
    "Sato",
    "Petrova",
    "Lindqvist",
    "Moreau",
    "Żukowska",
    "Bauer",
]
FIRM = [
    "Harbour",
    "Quarry",
    "Atelier",
    "Beacon",
    "Cedar",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Hazel",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Meridian",
]
TRADE = [
    "Lights",
    "Foods",
    "Works",
    "Textiles",
    "Motors",
    "Analytics",
    "Partners",
    "Logistics",
    "Realty",
    "Optics",
    "Studios",
    "Media",
]
FORM = ["GmbH", "Ltd.", "Inc.", "A.Ş.", "LLC", "S.A."]
TITLES = ["CEO", "Buyer", "CTO", "Office Manager", ""]
TAGS = ["VIP", "Key Account", "Hot Lead", "Reseller", "Press", "Partner", "Newsletter"]
STAGES = [
    ("Prospecting", 10),
    ("Discovery", 25),
    ("Proposal", 50),
    ("Negotiation", 75),
    ("Closed Won", 100),
    ("Closed Lost", 0),
]
WORDS = [
    "about",
    "the",
    "offer",
    "we",
    "asked",
    "for",
    "a",
    "plan",
    "and",
    "the",
    "delivery",
    "with",
    "terms",
    "soon",
    "approved",
    "budget",
    "board",
    "week",
    "client",
]
START = datetime(2023, 1, 1, tzinfo=UTC)


class Truth:
    """What must be true after the load."""

    def __init__(self) -> None:
        self.tables: dict[str, int] = defaultdict(int)
        self.findings: dict[str, list[str]] = defaultdict(list)


class Maker:
    """All randomness comes from one seed; the same arguments give the same bytes."""

    def __init__(self, contacts: int, seed: int, dirt: float) -> None:
        self.random = random.Random(seed)
        self.count = contacts
        self.dirt = dirt
        self.truth = Truth()
        self.companies: list[tuple[str, str]] = []  # name, host
        self.emails: list[str] = []
        self.deals: list[str] = []
        self.members = [f"user{n}@team.example" for n in range(8)]

    def hit(self) -> bool:
        """Whether this record gets a planted fault."""
        return self.random.random() < self.dirt

    def moment(self) -> datetime:
        """A minute in three years."""
        return START + timedelta(minutes=self.random.randrange(3 * 365 * 24 * 60))

    def text(self, words: int) -> str:
        """A sentence."""
        return " ".join(self.random.choices(WORDS, k=words)).capitalize() + "."

    def company_rows(self) -> Iterator[dict[str, Any]]:
        """One company for ten contacts; some stand twice in another spelling."""
        for n in range(max(1, self.count // 10)):
            name = f"{self.random.choice(FIRM)} {self.random.choice(TRADE)} {n}"
            host = f"firm{n}.example"
            form = self.random.choice(FORM)
            self.companies.append((f"{name} {form}", host))
            self.truth.tables["account"] += 1
            base = {
                "Industry": "Trade",
                "Size": "11-50",
                "Owner Email": self.random.choice(self.members),
                "Created At": _stamp(self.moment()),
            }
            yield {
                "Id": f"c{n}",
                "Company Name": f"{name} {form}",
                "Domain": host,
                "Website": f"https://www.{host}/",
                **base,
            }
            if self.hit():
                self.truth.findings["duplicate_merged"].append(f"c{n}b")
                yield {
                    "Id": f"c{n}b",
                    "Company Name": name.upper(),
                    "Domain": f"http://{host}/home",
                    "Website": "",
                    **base,
                }

    def contact_rows(self) -> Iterator[dict[str, Any]]:
        """Contacts with custom fields; some doubled, some without an address."""
        for n in range(self.count):
            given, family = self.random.choice(GIVEN), self.random.choice(FAMILY)
            company, host = self.random.choice(self.companies)
            email = f"person{n}@{host}"
            row = {
                "Id": f"p{n}", "First Name": given, "Last Name": family, "Email": email, "Company": company,
                "Title": self.random.choice(TITLES), "Phone": f"+4930{n:07d}", "LinkedIn URL": f"https://www.linkedin.com/in/p{n}",
                "Notes": self.text(8) if n % 3 else "", "Tags": "; ".join(self.random.sample(TAGS, n % 3)),
                "Owner Email": self.random.choice(self.members), "Created At": _stamp(self.moment()),
                "Relationship Strength": n % 101, "Region": f"R{n % 7}", "Score": round(self.random.random() * 100, 2),
            }  # fmt: skip
            if self.hit():
                self.truth.findings["missing_key"].append(row["Id"])
                yield row | {"Email": ""}
                continue
            self.emails.append(email)
            self.truth.tables["contact"] += 1
            yield row
            if self.hit():
                self.truth.findings["duplicate_merged"].append(f"p{n}b")
                yield row | {
                    "Id": f"p{n}b",
                    "Email": f" {email.upper()}",
                    "First Name": given[0] + ".",
                    "Title": "",
                    "Phone": "",
                }

    def deal_rows(self) -> Iterator[dict[str, Any]]:
        """One deal for five contacts; some with an unknown stage."""
        for n in range(self.count // 5):
            stage, probability = self.random.choice(STAGES)
            company, _ = self.random.choice(self.companies)
            created = self.moment()
            row = {
                "Id": f"d{n}", "Deal Name": f"{company} - {n}", "Value": f"{self.random.randrange(100, 9_000_000) / 100:.2f}",
                "Currency": self.random.choice(["EUR", "USD"]), "Stage": stage, "Probability": probability,
                "Contact Email": self.random.choice(self.emails), "Company": company, "Owner Email": self.random.choice(self.members),
                "Created At": _stamp(created), "Expected Close": (created + timedelta(days=90)).strftime("%Y-%m-%d"),
                "Tags": "", "Next Step": "Call back",
            }  # fmt: skip
            if self.hit():
                self.truth.findings["unknown_choice"].append(row["Id"])
                yield row | {"Stage": "Stage 99"}
                continue
            self.deals.append(row["Id"])
            self.truth.tables["opportunity"] += 1
            yield row

    def activity_rows(self) -> Iterator[dict[str, Any]]:
        """One activity a contact over all channels; some without any parent."""
        tables = {
            "Email": "email",
            "Call": "phonecall",
            "Meeting": "appointment",
            "WhatsApp": "task",
            "LinkedIn": "task",
        }
        for n in range(self.count):
            kind = self.random.choice(list(tables))
            start = self.moment()
            row = {
                "Id": f"a{n}", "Type": kind, "Direction": self.random.choice(["inbound", "outbound"]), "Title": self.text(5),
                "Summary": f"<p>{self.text(12)}</p>" if n % 2 else self.text(12), "Contact Email": self.random.choice(self.emails),
                "Deal Id": self.random.choice(self.deals) if self.deals and n % 4 == 0 else "", "Owner Email": self.random.choice(self.members),
                "Started At": _stamp(start), "Ended At": _stamp(start + timedelta(minutes=30)) if kind == "Meeting" else "",
                "Duration (sec)": self.random.randrange(30, 3000) if kind == "Call" else "",
            }  # fmt: skip
            if self.hit():
                self.truth.findings["orphan_parent"].append(row["Id"])
                yield row | {"Contact Email": f"lost{n}@nowhere.example", "Deal Id": ""}
                continue
            self.truth.tables[tables[kind]] += 1
            yield row

    def note_rows(self) -> Iterator[dict[str, Any]]:
        """One note for four contacts."""
        for n in range(self.count // 4):
            is_ai = n % 2 == 0
            self.truth.tables["note"] += 1
            yield {
                "Id": f"n{n}", "Body": f"<p>{self.text(15)}</p>" if n % 3 else f"{self.text(6)}\n{self.text(6)}",
                "AI Generated": "yes" if is_ai else "no", "Status": ("draft" if n % 4 else "approved") if is_ai else "",
                "Contact Email": self.random.choice(self.emails), "Deal Id": "", "Author Email": self.random.choice(self.members),
                "Created At": _stamp(self.moment()),
            }  # fmt: skip


def write_export(out: Path, contacts: int, seed: int = 1, dirt: float = 0.01) -> Truth:
    """Write everything and return the truth. Memory grows with the keys (e-mails, deals), not with the rows."""
    maker = Maker(contacts, seed, dirt)
    out.mkdir(parents=True, exist_ok=True)
    members = [
        {"Id": f"u{n}", "Name": f"User {n}", "Email": email, "Role": "Member", "Status": "active"}
        for n, email in enumerate(maker.members)
    ]
    _write(out / "members.csv", members)
    stages = [{"order": n, "name": name, "probability": share} for n, (name, share) in enumerate(STAGES, start=1)]
    (out / "pipeline.json").write_text(json.dumps(stages), encoding="utf-8")
    _write(out / "companies.csv", maker.company_rows())
    _write(out / "contacts.csv", maker.contact_rows())
    _write(out / "deals.csv", maker.deal_rows())
    _write(out / "activities.csv", maker.activity_rows())
    _write(out / "notes.csv", maker.note_rows())
    _write_destination(out / "destination", maker.members)
    choices = {
        "date_order": "YMD", "timezone": "UTC", "owner_unmatched": "fallback", "owner_inactive": "fallback",
        "fallback_owner": maker.members[0], "tag_strategy": "auto",
    }  # fmt: skip
    (out / "scoping.json").write_text(json.dumps(choices), encoding="utf-8")
    truth = {
        "tables": dict(maker.truth.tables),
        "findings": {code: sorted(ids) for code, ids in maker.truth.findings.items()},
    }
    (out / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return maker.truth


def _write_destination(folder: Path, members: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    org = {
        "name": "Benchmark", "license": "enterprise", "basecurrency": "EUR", "sharepoint": False, "maxuploadfilesize_kb": 5120, "lcid": 1033,
        "currencies": [{"isocurrencycode": "EUR", "exchangerate": 1.0}, {"isocurrencycode": "USD", "exchangerate": 1.08}],
        "blockedattachments": "exe;bat",
    }  # fmt: skip
    (folder / "org.json").write_text(json.dumps(org), encoding="utf-8")
    users = [
        {
            "systemuserid": str(UUID(int=0xA000 + n)), "firstname": "User", "lastname": str(n), "fullname": f"User {n}",
            "internalemailaddress": email, "domainname": email, "isdisabled": 0, "accessmode": "Read-Write", "securityroles": "Salesperson",
        }
        for n, email in enumerate(members)
    ]  # fmt: skip
    _write(folder / "systemusers.csv", users)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(iterator)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dirt", type=float, default=0.01, help="share of records with a planted fault")
    given = parser.parse_args()
    truth = write_export(given.out, given.contacts, given.seed, given.dirt)
    print(
        json.dumps({"tables": dict(truth.tables), "findings": {code: len(ids) for code, ids in truth.findings.items()}})
    )


if __name__ == "__main__":
    main()
