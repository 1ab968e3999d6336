"""Who points to our rows: lookups of the tables people work with."""

from collections.abc import Iterable
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.reconciling.fingerprint import write_references
from flitstack.staging.engine.engine import Engine

# Lookups of these tables to ours mean that somebody has come to rely on our rows.
REFERRING = (
    "account", "contact", "lead", "opportunity", "quote", "salesorder", "invoice", "task", "phonecall", "email",
    "appointment", "letter", "annotation", "connection", "incident",
)  # fmt: skip


async def read_references(
    destination: Destination, engine: Engine, also: Iterable[str], targets: set[str], folder: Path
) -> dict[str, Path]:
    """By table (REFERRING and `also`), Parquet (row, column, target) of every lookup value that may point into `targets`."""
    found = {}
    for name in dict.fromkeys((*REFERRING, *also)):
        table = await destination.table(name)
        columns = _pointing(table, targets) if table else []
        if table and columns:
            path = folder / f"{name}.references.parquet"
            await write_references(destination, engine, table, columns, path)
            found[name] = path
    return found


def _pointing(table: Table, targets: set[str]) -> list[str]:
    return sorted(
        name
        for name, column in table.columns.items()
        if column.type in {"Lookup", "Customer"}
        and column.updatable
        and column.is_web_api
        and targets & set(column.targets)
    )
