"""What drafting a map looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.mapping.options import number_options
from flitstack.mapping.target import describe_table
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Drafting:
    """What drafting looks at."""

    pack: Pack
    staged: StagingDocument
    staged_folder: Path
    live: Mapping[str, Table | None]
    decisions: Mapping[str, Any]
    prefix: str
    option_prefix: int
    engine: Engine

    def table(self, name: str) -> Table | None:
        """Metadata of a table."""
        return describe_table(name, self.live)

    def numbered(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """The rule of a column with its options numbered."""
        return number_options(
            dict(rule), self.pack, self.staged, self.staged_folder, self.engine, self.option_prefix, self.decisions
        )
