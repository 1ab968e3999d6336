"""Making file columns and moving files through them, as clients of the Web API do."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from front_wire import Reply, Wire

OCTETS = {"Content-Type": "application/octet-stream"}
CRM = "Microsoft.Dynamics.CRM."


def make_column(wire: Wire, schema_name: str = "new_File", max_kb: int = 32_768, kind: str = "File") -> str:
    """A column of accounts; its logical name."""
    body = {
        "@odata.type": f"{CRM}{kind}AttributeMetadata",
        "SchemaName": schema_name,
        "MaxSizeInKB": max_kb,
        "RequiredLevel": {"Value": "None"},
    }
    if kind == "Image":
        body["CanStoreFullImage"] = True
    reply = wire.post("EntityDefinitions(LogicalName='account')/Attributes", body)
    assert reply.status == 204, reply.body
    return schema_name.lower()


def make_account(wire: Wire, **values: object) -> str:
    """`accounts(guid)`."""
    reply = wire.post("accounts", {"name": "with a file", **values})
    assert reply.status == 204, reply.body
    return reply.entity


def upload(wire: Wire, where: str, data: bytes, name: str = "notes.txt") -> Reply:
    """One request with the whole file."""
    return wire.send("PATCH", where, data, {**OCTETS, "x-ms-file-name": name})


def begin(wire: Wire, where: str, name: str = "25mb.pdf") -> str:
    """The path of a new upload session."""
    reply = wire.send("PATCH", f"{where}?x-ms-file-name={name}", None, {"x-ms-transfer-mode": "chunked"})
    assert reply.status == 200, reply.body
    assert reply.body == b""
    assert reply.headers["x-ms-chunk-size"] == "4194304"
    assert "odata-entityid" not in reply.headers
    return reply.headers["location"].partition("/api/data/v9.2/")[2]


def chunk(wire: Wire, session: str, data: bytes, start: int, size: int) -> Reply:
    """One chunk of a file of `size` bytes."""
    end = start + len(data) - 1
    return wire.send("PATCH", session, data, {**OCTETS, "Content-Range": f"bytes {start}-{end}/{size}"})


def download(wire: Wire, where: str, headers: Mapping[str, str] | None = None) -> Reply:
    return wire.send("GET", f"{where}/$value", None, headers)


def stored_blocks(data: Path) -> int:
    """Blocks of bytes in the SQLite file of a data directory."""
    connection = sqlite3.connect(data / "environment.sqlite")
    try:
        return int(connection.execute("SELECT count(*) FROM file$data").fetchone()[0])
    finally:
        connection.close()
