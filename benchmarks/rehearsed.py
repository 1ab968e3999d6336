"""A small migration in this process, kept at every stage, so that one command can be played again and again from where it begins.

Stages: `approved` (the load may begin), `loaded`, `changed` (a later export is planned and approved on top), `twice` (the delta
is loaded). The later export changes, adds, removes, wins, loses and reopens; tags are rows joined many-to-many.
"""

import csv
import json
import shutil
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flitstack.app.emulators import call
from flitstack.app.project import Project
from flitstack.app.result import Result, Silent
from flitstack.app.steps.approve import approve
from flitstack.app.steps.emulator import read_destination
from flitstack.app.steps.load import load
from flitstack.app.steps.new import new
from flitstack.app.steps.plan_delta import plan_delta
from flitstack.app.steps.rollback import rollback
from flitstack.app.steps.run import rehearse
from flitstack.app.steps.stage import stage
from flitstack.documents import read_yaml, write_yaml
from flitstack.packs.read import load_pack

EXAMPLE = load_pack("klipy").folder / "example"
# Rows whose ids the service gives: only their number can be equal in two runs.
SERVERS_OWN = frozenset({"opportunityclose", "activityparty", "activitypointer"})
CHANGES: dict[str, dict[str, dict[str, str]]] = {
    "contacts.csv": {
        "p01": {"Title": "Managing director", "Tags": "VIP"},
        "p03": {"Tags": "Reseller; Press", "Phone": "+44 20 7946 0999"},
        "p07": {"Title": "Changed in the source", "Phone": "+49 30 5550"},
        "p90": {"First Name": "Nina", "Last Name": "Neu", "Email": "nina@neu.example", "Owner Email": "ana@northbeam.example", "Tags": "New"},
    },
    "deals.csv": {"d01": {"Stage": "Negotiation"}, "d02": {"Stage": "Closed Won"}, "d03": {"Stage": "Closed Lost"}},
    "activities.csv": {"a01": {"Contact Email": "john@quarrysons.example", "Title": "Question about the scaffold"}},
    "companies.csv": {"c04": {"Website": "https://quarrysons.example/new"}},
    "notes.csv": {"n02": {"Body": "Prefers calls in the evening."}},
}  # fmt: skip
GONE = {"contacts.csv": ("p09",)}
# Rows that stand in the environment before the load: their records update them, and a rollback gives them back.
THERE: dict[str, dict[str, dict[str, str]]] = {
    "contacts.csv": {"p01": {"jobtitle": "Owner & host", "department": "Front"}, "p07": {"telephone1": "+49 30 own"}},
    "companies.csv": {"c04": {"telephone1": "+44 20 own"}},
}
_TABLES = {"contacts.csv": "contacts", "companies.csv": "accounts"}
_KNOWN_BY = {"Email": "emailaddress1", "Last Name": "lastname", "Website": "websiteurl", "Company Name": "name"}
Command = Callable[[Project], Result]


@dataclass(frozen=True)
class Play:
    """A command, the stage it begins at and the stage whose destination it must end with ('' for none of the kept ones)."""

    name: str
    begins: str
    command: Command


PLAYS = (
    Play("load", "approved", lambda project: load(project, Silent())),
    Play("delta", "changed", lambda project: load(project, Silent())),
    Play("rollback of the delta", "twice", lambda p: rollback(p, Silent(), force=False, with_schema=False, dry_run=False, last=True)),
    Play("rollback", "twice", lambda p: rollback(p, Silent(), force=True, with_schema=False, dry_run=False)),
)  # fmt: skip


def refused(result: Result) -> int:
    """Rows that a load or rollback could not get done."""
    document = result.document
    return int(document["load"]["refused"] if "load" in document else document["failed"])


def not_closed(result: Result) -> int:
    """Accounts that do not close; 1 for a rollback whose proof fails."""
    document = result.document
    if "accounts" in document:
        return sum(not account["closes"] for account in document["accounts"].values())
    return int(not document["equal"])


@dataclass
class Rehearsed:
    """`folder`: the project while it is played; `ends`: by play, the emulator's fingerprint after an undisturbed command."""

    folder: Path
    url: str
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)

    def open(self) -> Project:
        """The project as a command opens it."""
        return Project.open(self.folder, "benchmark")

    def keep(self, name: str) -> None:
        """Remember destination and project under a name."""
        call(self.url, "snapshot", {"name": name})
        shutil.copytree(self.folder, self._kept(name))

    def back_to(self, name: str) -> None:
        """Restore both."""
        call(self.url, "faults", {"rules": []})
        call(self.url, "restore", {"name": name})
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept(name), self.folder)

    def play(self, play: Play) -> None:
        """An undisturbed command, and what it leaves. Exits when it leaves something undone."""
        result = play.command(self.open())
        if refused(result) or not_closed(result):
            sys.exit(f"undisturbed, {play.name} refuses or does not close: {result.document}")
        self.ends[play.name] = call(self.url, "fingerprint")

    def _kept(self, name: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}-{name}")


def rehearse_all(work: Path, url: str, copies: int = 1) -> Rehearsed:
    """Take a migration through all its stages, undisturbed. `copies`: how often each record of the example is there."""
    export = work / "export"
    write_export(export, copies)
    this = Rehearsed(work / "project", url)
    call(url, "seed", read_destination(export / "destination"))
    _stand_there(url, export, copies)
    new(this.folder, "klipy", export, url=url, scoping=export / "scoping.json")
    _settle(this.folder)
    rehearse(this.open(), Silent(), last="sample")
    for gate in ("sample", "load"):
        approve(this.open(), gate)
    this.keep("approved")
    this.play(PLAYS[0])
    this.keep("loaded")
    stage(this.open(), Silent(), write_later(export, work / "later", copies), full=True)
    plan_delta(this.open(), Silent())
    approve(this.open(), "load")
    this.keep("changed")
    this.play(PLAYS[1])
    this.keep("twice")
    for play in PLAYS[2:]:
        this.back_to("twice")
        this.play(play)
    return this


def _stand_there(url: str, export: Path, copies: int) -> None:
    for name, rows in THERE.items():
        records = {record["Id"]: record for record in read_records(export / name)}
        for record, values in rows.items():
            for n in range(copies):
                source = records[_renamed(record, n)]
                body = {column: source[field] for field, column in _KNOWN_BY.items() if source.get(field)} | values
                address = f"{url}/api/data/v9.2/{_TABLES[name]}"
                headers = {"Content-Type": "application/json"}
                request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
                urllib.request.urlopen(request, timeout=60).close()


def _settle(folder: Path) -> None:
    """Absent contacts are deleted; the sample is small, so that the load has something left to make."""
    settings, _ = read_yaml(folder / "flitstack.yaml")
    write_yaml(folder / "flitstack.yaml", dict(settings) | {"sample_rows": 1})
    path = folder / "decisions.yaml"
    data, _ = read_yaml(path)
    data["decisions"]["delta_absent"] = {"option": {"contact": "delete"}, "by": "benchmark"}
    write_yaml(path, data)


def write_export(target: Path, copies: int) -> None:
    """The pack's example, each record `copies` times under ids and addresses of its own; tags kept as rows."""
    shutil.copytree(EXAMPLE, target)
    for path in target.glob("*.csv"):
        if path.name != "members.csv":
            write_records(
                path,
                [
                    twin
                    for n in range(copies)
                    for record in read_records(EXAMPLE / path.name)
                    if (twin := _twin(record, n))
                ],
            )
    scoping = json.loads((EXAMPLE / "scoping.json").read_text())
    (target / "scoping.json").write_text(json.dumps(scoping | {"tag_strategy": "table"}))


def write_later(export: Path, target: Path, copies: int) -> Path:
    """The whole export again, changed in every copy."""
    shutil.copytree(export, target)
    for name, changes in CHANGES.items():
        records = {record["Id"]: record for record in read_records(target / name)}
        empty = dict.fromkeys(next(iter(records.values())), "")
        for record, values in changes.items():
            for n in range(copies):
                known = records.get(_renamed(record, n), empty | {"Id": record})
                twin = _twin({**known, "Id": record} | values, n, only={"Id", *values})
                records[twin["Id"]] = {**known, **twin}
        for record in GONE.get(name, ()):
            for n in range(copies):
                del records[_renamed(record, n)]
        write_records(target / name, list(records.values()))
    return target


def read_records(path: Path) -> list[dict[str, str]]:
    """Records of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_records(path: Path, records: list[dict[str, str]]) -> None:
    """Write them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


_IDS = frozenset({"Id", "Deal Id", "Parent Id"})
_NAMES = frozenset({"Company", "Company Name"})


def _renamed(record: str, n: int) -> str:
    return record if n == 0 or not record else f"{record}x{n}"


def _twin(record: dict[str, str], n: int, only: set[str] | None = None) -> dict[str, str]:
    """A record's nth copy: what identifies it, or points to another record, carries the number."""
    made = {}
    for name, value in record.items():
        changed = value
        if n and value and (only is None or name in only):
            if name in _IDS:
                changed = _renamed(value, n)
            elif name in _NAMES:
                changed = f"Nr {n} {value}"
            elif "Email" in name and name != "Owner Email" and name != "Author Email":
                changed = value.replace("@", f"@n{n}.")
            elif name in {"Domain", "Website"}:
                changed = (
                    value.replace("://www.", f"://www.n{n}.")
                    if "://www." in value
                    else f"n{n}.{value}"
                    if "://" not in value
                    else value.replace("://", f"://n{n}.")
                )
        made[name] = changed
    return made
