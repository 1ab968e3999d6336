"""Rows of publishers and solutions: names and prefixes.

Source: Microsoft Learn, "Publisher table", "Solution table", "Create a publisher"; codes: "Web service error codes".
"""

import re

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.work import Change

_NAME = re.compile(r"[A-Za-z0-9_]+")
_PREFIX = re.compile(r"(?!mscrm)[A-Za-z][A-Za-z0-9]{1,7}", re.IGNORECASE)
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){1,3}", re.ASCII)


def check_publisher(change: Change) -> None:
    """A unique name, a prefix of 2 to 8 letters and digits that is not mscrm's, option values from 10,000 x 10,000."""
    _check_name(change, "0x8004F01C", "publisher", "0x80040237")
    prefix = _text(change, "customizationprefix")
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise Refusal(
            400,
            "0x80040203",
            f"The customization prefix '{prefix}' is invalid: 2 to 8 letters and digits, beginning with a letter, not "
            "with mscrm.",
        )
    option = change.values.get("customizationoptionvalueprefix")
    if isinstance(option, int) and not 10_000 <= option <= 99_999:
        raise Refusal(400, "0x80048402", "The option value prefix must lie between 10000 and 99999.")


def check_solution(change: Change) -> None:
    """A unique name that never changes, a version of two to four numbers; managed ones change by import alone."""
    if change.before is not None and change.before.get("ismanaged"):
        raise Refusal(400, "0x8004F024", "A managed solution changes by import only.")
    _check_name(change, "0x8004F002", "solution", "0x8004F023")
    version = _text(change, "version")
    if version is not None and not _VERSION.fullmatch(version):
        raise Refusal(400, "0x8004F01E", f"The solution version '{version}' is invalid: major.minor.build.revision.")


def _check_name(change: Change, code: str, what: str, taken: str) -> None:
    name = _text(change, "uniquename")
    if name is None:
        return
    if not _NAME.fullmatch(name):
        raise Refusal(
            400,
            code,
            f"Invalid character in the {what} unique name '{name}': only [A-Z], [a-z], [0-9] and _ are allowed.",
        )
    store = change.work.store
    id_column = quoted(change.model.table.id_column)
    sql = f"SELECT 1 FROM {store.ensure(change.model)} WHERE fold(uniquename) = fold(?) AND {id_column} <> ?"
    if store.connection.execute(sql, (name, change.id)).fetchone():
        raise Refusal(400, taken, f"The {what} unique name '{name}' is already being used and cannot be used again.")


def _text(change: Change, column: str) -> str | None:
    value = change.values.get(column)
    return value if isinstance(value, str) else None
