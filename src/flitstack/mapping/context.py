"""What a run of the map needs to know besides the map and the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flitstack.catalogue.types import Table


class MergedTable(Protocol):
    """One object after deduping."""

    @property
    def parquet(self) -> str:
        """Its records, relative to the folder of the merged tables."""

    @property
    def merged(self) -> int:
        """How many records were merged away."""


class Merged(Protocol):
    """What deduping hands on, as far as mapping reads it: merged tables and the survivor map (deduping/document.py)."""

    @property
    def tables(self) -> Mapping[str, MergedTable]:
        """By object."""

    @property
    def survivors(self) -> str:
        """The survivor map, relative to the same folder."""


# Pairs of (key, row id), or a Parquet file of ("key", "row" UUID).
EnvironmentRows = Mapping[str, Mapping[str, Sequence[tuple[str, str]] | Path]]


@dataclass(frozen=True, slots=True)
class MapContext:
    """`live`: table -> its metadata, None for a table that does not exist yet; `there`: the same with what we made in the
    environment ourselves, options by the labels that we gave them. `rows`: table -> match index ->
    (key, row id) of rows that the environment has already and records may point to (currencies, units). `attachments`:
    path inside the export -> size in bytes. `staged`: folder of the staged tables; beside the deduped one if absent.
    """

    system: str
    decisions: Mapping[str, Any]
    prefix: str
    date_order: str = "DMY"
    zone: str = "UTC"
    live: Mapping[str, Table | None] = field(default_factory=dict)
    there: Mapping[str, Table | None] = field(default_factory=dict)
    rows: EnvironmentRows = field(default_factory=dict)
    max_file_bytes: int = 5_120 * 1024 * 3 // 4
    blocked_extensions: frozenset[str] = frozenset()
    attachments: Mapping[str, int] = field(default_factory=dict)
    export: Path = Path()
    option_prefix: int = 72_700
    staged: Path | None = None
    awaited: frozenset[str] = frozenset()  # tables of objects that come with a later batch of the export
