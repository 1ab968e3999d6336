"""Whole environments set aside and brought back, as copies of the SQLite file."""

import re
import shutil
import sqlite3
from pathlib import Path

from flitstack.emulator.instance import Instance
from flitstack.emulator.messages import Refusal
from flitstack.emulator.store import FILE_NAME

_NAME = re.compile(r"[\w.-]{1,80}")


def snapshot(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """Copy the environment under a name; an older copy of that name is replaced."""
    path = _path(instance, body)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    target = sqlite3.connect(part)
    try:
        instance.environment.connection.backup(target)
    finally:
        target.close()
    part.replace(path)
    return {"name": body["name"], "size_bytes": path.stat().st_size}


def restore(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """Put a copy in the place of the environment; requests after this one see it, whichever process they reach."""
    path = _path(instance, body)
    if not path.is_file():
        raise Refusal(404, "0x80040217", f"There is no snapshot '{body['name']}'.")
    if instance.state.is_shared:
        # Other processes hold the file open: its content is replaced, not the file.
        source = sqlite3.connect(path)
        try:
            source.backup(instance.environment.connection)
        finally:
            source.close()
        instance.close()
        instance.open()
        instance.data_replaced()
        return {"name": body["name"]}
    instance.close()
    live = instance.options.data / FILE_NAME
    for suffix in ("-wal", "-shm"):
        live.with_name(live.name + suffix).unlink(missing_ok=True)
    part = live.with_suffix(".part")
    shutil.copyfile(path, part)
    part.replace(live)
    instance.open()
    return {"name": body["name"]}


def _path(instance: Instance, body: dict[str, object]) -> Path:
    name = str(body.get("name", ""))
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise Refusal(400, "0x80040203", "A snapshot's name has letters, digits, '_', '-', '.' only.")
    return instance.options.data / "snapshots" / f"{name}.sqlite"
