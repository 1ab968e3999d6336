"""A source that goes on living: its records as the export holds them, changed between rounds, written as later exports."""

import csv
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from route.route_case import EXAMPLE, Migration

from flitstack.documents import read_yaml, write_yaml


@dataclass
class Source:
    """The example's contacts and deals by id; `changed` since the last export, by file."""

    folder: Path
    records: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    changed: dict[str, set[str]] = field(default_factory=dict)
    exports: int = 0

    @classmethod
    def example(cls, folder: Path) -> "Source":
        made = cls(folder)
        for name in ("contacts", "deals"):
            with (EXAMPLE / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
                made.records[name] = {record["Id"]: record for record in csv.DictReader(file)}
        return made

    def change(self, name: str, record: str, **values: str) -> None:
        """Change or add a record; underscores in names are blanks."""
        known = self.records[name]
        empty = dict.fromkeys(next(iter(known.values())), "")
        spelled = {key.replace("_", " "): value for key, value in values.items()}
        known[record] = {**known.get(record, empty), "Id": record, **spelled}
        self.changed.setdefault(name, set()).add(record)

    def partial(self) -> Path:
        """Write what changed since the last export."""
        return self._write({name: [self.records[name][r] for r in sorted(ids)] for name, ids in self.changed.items()})

    def full(self) -> Path:
        """Write everything; the other files as the example has them."""
        target = self._write({name: list(records.values()) for name, records in self.records.items()})
        for path in EXAMPLE.iterdir():
            if path.name in {"destination", "scoping.json"} or (target / path.name).exists():
                continue
            (shutil.copytree if path.is_dir() else shutil.copy)(path, target / path.name)
        return target

    def _write(self, tables: dict[str, list[dict[str, str]]]) -> Path:
        self.exports += 1
        target = self.folder / f"export-{self.exports}"
        target.mkdir(parents=True)
        for name, records in tables.items():
            with (target / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(records[0]))
                writer.writeheader()
                writer.writerows(records)
        self.changed.clear()
        return target


def take_round(migration: Migration, export: Path, *how: str) -> dict[str, Any]:
    """Stage, plan, approve, load; the plan's document."""
    migration.do("stage", "--export", str(export), *how, code={0, 3})
    plan = migration.do("plan", "--delta", code={0, 3})
    migration.do("approve", "load")
    migration.do("load", code={0, 3})
    return dict(plan)


def decide(migration: Migration, **decisions: object) -> None:
    """Write decisions as a person would."""
    path = migration.folder / "decisions.yaml"
    data, _ = read_yaml(path)
    data["decisions"] |= {name: {"option": option, "by": "ana"} for name, option in decisions.items()}
    write_yaml(path, data)
