"""Files of notes and e-mail attachments: in one request while small, in blocks when large.

Sources: Microsoft Learn, "Use file data with Attachment and Note records".
"""

import base64
from collections.abc import Mapping
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.faults import Fatal

# A block holds at most 4 MB; so does a single request in practice.
BLOCK_BYTES = 4 * 1024 * 1024
# Table -> column of the content.
_COLUMNS: Mapping[str, str] = {"annotation": "documentbody", "activitymimeattachment": "body"}
# Blocks of e-mail attachments "can only be used to create a new attachment", and here the row is there before its content.
_IN_BLOCKS = "annotation"


async def attach_file(client: Client, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
    """See `Destination.attach`."""
    if table.name not in _COLUMNS:
        raise Fatal(f"rows of {table.name} hold no file")
    column = _COLUMNS[table.name]
    if len(content) <= BLOCK_BYTES or table.name != _IN_BLOCKS:
        body: dict[str, object] = {
            "filename": file_name,
            "mimetype": mime_type,
            column: base64.b64encode(content).decode(),
        }
        if table.name == "annotation":
            body["isdocument"] = True
        await _patch(client, table, row, body)
        return
    target = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{table.name}",
        table.id_column: str(row),
        "filename": file_name,
        "mimetype": mime_type,
    }
    started = await client.post("InitializeAnnotationBlocksUpload", {"Target": target})
    token = started.json()["FileContinuationToken"]
    blocks = []
    for number, at in enumerate(range(0, len(content), BLOCK_BYTES)):
        block_id = base64.b64encode(f"{number:08d}".encode()).decode()
        data = base64.b64encode(content[at : at + BLOCK_BYTES]).decode()
        block = {"BlockId": block_id, "BlockData": data, "FileContinuationToken": token}
        await client.post("UploadBlock", block)
        blocks.append(block_id)
    commit = {"Target": target, "BlockList": blocks, "FileContinuationToken": token}
    await client.post("CommitAnnotationBlocksUpload", commit)


async def _patch(client: Client, table: Table, row: UUID, body: dict[str, object]) -> None:
    headers = {"Content-Type": "application/json", "If-Match": "*", **client.write_headers}
    await client.send("PATCH", f"{table.entity_set}({row})", orjson.dumps(body), headers)
