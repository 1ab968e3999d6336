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
# table -> (column of the content, name of the messages)
_PLACES: Mapping[str, tuple[str, str]] = {
    "annotation": ("documentbody", "Annotation"),
    "activitymimeattachment": ("body", "Attachment"),
}


async def attach_file(client: Client, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
    """See `Destination.attach`."""
    if table.name not in _PLACES:
        raise Fatal(f"rows of {table.name} hold no file")
    column, message = _PLACES[table.name]
    if len(content) <= BLOCK_BYTES:
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
    started = await client.post(f"Initialize{message}BlocksUpload", {"Target": target})
    token = started.json()["FileContinuationToken"]
    blocks = []
    for number, at in enumerate(range(0, len(content), BLOCK_BYTES)):
        block_id = base64.b64encode(f"{number:08d}".encode()).decode()
        data = base64.b64encode(content[at : at + BLOCK_BYTES]).decode()
        block = {"BlockId": block_id, "BlockData": data, "FileContinuationToken": token}
        await client.post("UploadBlock", block)
        blocks.append(block_id)
    commit = {"Target": target, "BlockList": blocks, "FileContinuationToken": token}
    await client.post(f"Commit{message}BlocksUpload", commit)


async def _patch(client: Client, table: Table, row: UUID, body: dict[str, object]) -> None:
    headers = {"Content-Type": "application/json", "If-Match": "*", **client.write_headers}
    await client.send("PATCH", f"{table.entity_set}({row})", orjson.dumps(body), headers)
