"""Small maps for tests: YAML text becomes a folder of map files, beside a pack that knows their fields."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.check import check_maps
from flitstack.mapping.maps import MapFile, read_maps
from flitstack.packs.types import Decision, Field, Pack, SourceObject
from flitstack.staging.document import StagedField, StagedTable, StagingDocument

FIELDS = ("Id", "Name", "Email", "Company", "Rating", "Score")
PLAYBOOK: dict[str, Any] = {
    "phases": ["accounts", "people"],
    "vocabularies": {"tags": {"of": ["Person.Tags"], "separator": ";"}},
}


def make_pack(objects: Mapping[str, Sequence[str]] | None = None, playbook: Mapping[str, Any] | None = None) -> Pack:
    """A pack with objects -> fields; the key of each is `Id`."""
    sources = {
        name: SourceObject(name, (f"{name.lower()}.csv",), "Id", {field: Field(field) for field in fields})
        for name, fields in (objects or {"Person": FIELDS}).items()
    }
    decisions = {"odd": Decision("odd", "What about odd ones?", "hold", {"hold": "not loaded", "blank": "left out"})}
    return Pack("test", "Test", sources, decisions, {**PLAYBOOK, **(playbook or {})}, Path())


def make_staged(pack: Pack) -> StagingDocument:
    """A snapshot that holds every field of the pack."""
    tables = {
        name: StagedTable(name, f"{name}.parquet", 0, tuple(StagedField(f, f, True, "name") for f in source.fields), ())
        for name, source in pack.objects.items()
    }
    return StagingDocument(pack.name, "", "snapshot", "", tables, ())


def write_maps(folder: Path, *texts: str) -> dict[str, MapFile]:
    """Write map files, each given as YAML text, and read them."""
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        (folder / f"{yaml.safe_load(text)['object']}.yaml").write_text(text, encoding="utf-8")
    return read_maps(folder)


def problems(folder: Path, *texts: str, pack: Pack | None = None) -> list[str]:
    """`code line: what` of every mistake of a map, against the catalogue."""
    chosen = pack or make_pack()
    found = check_maps(write_maps(folder, *texts), chosen, make_staged(chosen), load_catalogue().tables)
    return [f"{problem.code} {problem.rule.rpartition(':')[2]}: {problem.what}" for problem in found]
