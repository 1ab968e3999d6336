"""A pack's export through staging, deduping and the map: for its bundled example and for shared exports."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.app.process_definitions import Definition
from flitstack.app.processes import follow
from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Table
from flitstack.deduping.dedupe import dedupe
from flitstack.deduping.document import DedupeDocument
from flitstack.errors import Problem
from flitstack.mapping.check import check_maps
from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappingDocument
from flitstack.mapping.maps import read_maps
from flitstack.mapping.processes import STAGE_INDEX, stage_rows, with_processes
from flitstack.mapping.propose import propose_maps
from flitstack.mapping.run import run_map
from flitstack.packs.processes import read_process_rule
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.stage import StageOptions, stage

# What every environment with products has.
UNITS = {
    "uom": {"existing_unit": [("Primary Unit", "00000000-0000-0000-0001-000000000001")]},
    "uomschedule": {"existing_group": [("Default Unit", "00000000-0000-0000-0001-000000000002")]},
}


@dataclass
class Prepared:
    """A staged and deduped export with a proposed map."""

    pack: Pack
    export: Path
    folder: Path
    engine: Engine
    decisions: dict[str, Any]
    staged: StagingDocument
    deduped: DedupeDocument

    def propose(self) -> None:
        """Propose the map; what is there already is merged."""
        maps, tables = self.folder / "mapping", load_catalogue().tables
        existing = read_maps(maps) if maps.exists() else {}
        staged = self.folder / "staged"
        propose_maps(
            self.pack, self.staged, staged, existing, tables, self.decisions, "flit", 72_700, self.engine, maps
        )

    def run(self, processes: Sequence[Definition] = ()) -> tuple[MappingDocument, FindingsWriter]:
        """Run the map; currencies and blocked types are those of the export's `destination/org.json`, `processes` the business
        process flows of the environment."""
        org = json.loads((self.export / "destination" / "org.json").read_text())
        currencies = [
            (entry["isocurrencycode"], f"00000000-0000-0000-0000-{n:012}") for n, entry in enumerate(org["currencies"])
        ]
        maps, live = read_maps(self.folder / "mapping"), live_tables(self.folder / "mapping")
        rule, stages = read_process_rule(self.pack.playbook), []
        if rule is not None and self.decisions.get(rule.decision) == "follow":
            following, problems = follow(rule, self.decisions, processes, live)
            assert following is not None, problems
            maps, stages = with_processes(maps, following), stage_rows(following.processes)
        context = MapContext(
            system=self.pack.name,
            decisions=self.decisions,
            prefix="flit",
            date_order=str(self.decisions.get("date_order", "DMY")),
            zone=str(self.decisions.get("timezone", "UTC")),
            live=live,
            rows={
                "transactioncurrency": {"isocurrencycode": currencies},
                "processstage": {STAGE_INDEX: stages},
                **UNITS,
            },
            blocked_extensions=frozenset(org.get("blockedattachments", "").split(";")),
            attachments=self.staged.attachments,
            export=self.export,
        )
        findings = FindingsWriter(self.engine, "map")
        deduped = self.folder / "deduped"
        document = run_map(
            maps, self.pack, self.deduped, deduped, self.engine, context, self.folder / "mapped", findings
        )
        return document, findings


def prepare(pack: Pack, export: Path, folder: Path, engine: Engine) -> Prepared:
    """Stage, dedupe and propose."""
    decisions = {name: decision.default for name, decision in pack.decisions.items()}
    scoping = export / "scoping.json"
    decisions |= json.loads(scoping.read_text()) if scoping.exists() else {}
    never = decisions.get(str(pack.playbook.get("suppress", ""))) or []
    options = StageOptions(suppress=dict.fromkeys(pack.objects, never))
    staged = stage(pack, export, folder / "staged", options, engine, FindingsWriter(engine, "stage"))
    deduped = dedupe(
        pack, staged, folder / "staged", folder / "deduped", decisions, engine, FindingsWriter(engine, "dedupe")
    )
    prepared = Prepared(pack, export, folder, engine, decisions, staged, deduped)
    prepared.propose()
    return prepared


def live_tables(maps: Path) -> dict[str, Table | None]:
    """An environment without custom tables."""
    routes = (route for file in read_maps(maps).values() for route in file.routes)
    return {**dict.fromkeys(route.table for route in routes), **load_catalogue().tables}


def propose_example(pack: Pack, folder: Path) -> list[Problem]:
    """What is wrong with the map proposed for the pack's bundled example."""
    with Engine(folder / "scratch", memory_mb=128) as engine:
        prepared = prepare(pack, pack.folder / "example", folder, engine)
    return check_maps(read_maps(folder / "mapping"), pack, prepared.staged, load_catalogue().tables)
