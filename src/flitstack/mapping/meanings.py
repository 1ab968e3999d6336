"""The one table from what a field means to the column it becomes."""

from functools import cache
from pathlib import Path
from typing import Any

from flitstack.documents import read_yaml
from flitstack.staging.engine.engine import quoted

FILE = Path(__file__).with_name("meanings.yaml")


def columns_for(meaning: str, table: str, field: str) -> dict[str, str]:
    """Column -> expression that a field with this meaning fills in this table; empty when the table has none."""
    entry = _meanings().get(meaning, {})
    wanted = entry.get(table, entry.get("*"))
    if wanted is None:
        return {}
    if isinstance(wanted, str):
        return {wanted: quoted(field)}
    return {str(column): str(text).replace("{}", quoted(field)) for column, text in wanted.items()}


def known_meanings() -> frozenset[str]:
    """Every meaning the table knows."""
    return frozenset(_meanings())


@cache
def _meanings() -> dict[str, dict[str, Any]]:
    return dict(read_yaml(FILE)[0]["meanings"])
