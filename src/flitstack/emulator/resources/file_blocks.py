"""Messages that move files in blocks: Initialize..., UploadBlock, Commit..., DownloadBlock, DeleteFile.

They serve file and image columns, notes (annotation) and attachments of e-mails (activitymimeattachment) alike.
Sources: Microsoft Learn, "Use file column data", "Use image column data", "Use file data with Attachment and Note
records".
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from flitstack.catalogue.types import Column
from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.files import contents
from flitstack.emulator.files.columns import current, kind_of, mime_type, too_big
from flitstack.emulator.files.contents import BLOCK_BYTES, Content, Place
from flitstack.emulator.files.spool import base64_pieces
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.resources.file_columns import attach, check_name, column_of, guard_change, no_file
from flitstack.emulator.resources.parameters import body_of, guid, missing, row
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.attachments import BODIES, check_extension, file_settings
from flitstack.emulator.rows.guards import guard_read
from flitstack.emulator.rows.references import Target
from flitstack.emulator.rows.write import create_rows, update_row
from flitstack.emulator.values import guid_blob, guid_text
from flitstack.emulator.work import Change, Values, Work

Body = Mapping[str, object]
_CRM = "Microsoft.Dynamics.CRM."
_MAX_ID_BYTES = 64
# message part -> table, the property of the answer that names the row
_HOLDERS = {
    "Annotation": ("annotation", "AnnotationId"),
    "Attachment": ("activitymimeattachment", "ActivityMimeAttachmentId"),
}


def _begin_file(work: Work, request: Request, segment: Segment) -> Answer:
    body = body_of(request)
    target, column = _column(work, body)
    name = str(body.get("FileName") or "")
    check_name(work, column, name)
    place = Place(target.model.name, target.id, column.name)
    guard_change(Change(work, target.model, target.id, {}, work.read(target.model, target.id)))
    token = contents.begin(work, kind_of(work.store, target.model, column), place, name, mime_type(name))
    return _answer(request, segment, {"FileContinuationToken": guid_text(token)})


def _begin_held(work: Work, request: Request, segment: Segment) -> Answer:
    table, _ = _HOLDERS[_holder(segment)]
    details = _details(body_of(request), table)
    check_extension(str(details.get("filename") or ""), file_settings(work)[1])
    place = Place(table, _own_id(work, table, details), BODIES[table])
    token = contents.begin(work, table, place, str(details.get("filename") or ""), "")
    return _answer(request, segment, {"FileContinuationToken": guid_text(token)})


def _upload_block(work: Work, request: Request, segment: Segment) -> Answer:
    body = body_of(request)
    session = _session(work, body)
    name = body.get("BlockId")
    if not isinstance(name, str) or not 0 < len(_decoded(name, "BlockId")) <= _MAX_ID_BYTES:
        raise _bad(f"BlockId is the base64 text of at most {_MAX_ID_BYTES} bytes.")
    if any(len(known) != len(name) for known in contents.block_sizes(work.store, session.id)):
        raise _bad("The BlockIds of one file have the same length.")
    data = _decoded(body.get("BlockData"), "BlockData")
    if len(data) > BLOCK_BYTES:
        raise _bad(f"A block has at most {BLOCK_BYTES} bytes, this one {len(data)}.")
    contents.put_block(work.store, session.id, name, data)
    return no_content()


def _commit_file(work: Work, request: Request, segment: Segment) -> Answer:
    body = body_of(request)
    session = _session(work, body)
    model = work.store.schema.tables[session.place.table]
    column = column_of(model, session.place.column)
    if column is None or session.place.row is None:
        raise contents.over("upload")
    name = str(body.get("FileName") or session.name)
    check_name(work, column, name)
    size = _put_in_order(work, session, body)
    attach(work, model, session.place.row, column, session.id, size, name, str(body.get("MimeType") or ""))
    return _answer(request, segment, {"FileId": guid_text(session.id), "FileSizeInBytes": size})


def _commit_held(work: Work, request: Request, segment: Segment) -> Answer:
    table, id_name = _HOLDERS[_holder(segment)]
    body = body_of(request)
    session = _session(work, body)
    details = _details(body, table)
    if session.place.table != table or session.place.row != _own_id(work, table, details):
        raise _bad("The Target is not the one that the upload began with.")
    size = _put_in_order(work, session, body)
    limit, encoded = file_settings(work)[0], -(-size // 3) * 4
    if encoded > limit:
        raise too_big(encoded, limit)
    text = b"".join(base64_pieces(contents.read(work.store, session.id, 0, size))).decode()
    values = {name: value for name, value in details.items() if name != "@odata.type"} | {BODIES[table]: text}
    contents.drop(work.store, session.id)
    model = work.store.schema.tables[table]
    id_ = session.place.row
    if id_ is not None and table == "annotation" and work.find(model, id_) is not None:
        update_row(work, model, id_, values)
    else:
        (id_,) = create_rows(work, model, [values])
    return _answer(request, segment, {id_name: guid_text(id_), "FileSizeInBytes": size})


def _put_in_order(work: Work, session: Content, body: Body) -> int:
    names = body.get("BlockList")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise missing("BlockList")
    known = contents.block_sizes(work.store, session.id)
    for name in names:
        if name not in known:
            raise _bad(f"The block '{name}' of the BlockList was never uploaded.")
    return contents.order_blocks(work.store, session.id, names)


def _begin_file_download(work: Work, request: Request, segment: Segment) -> Answer:
    target, column = _column(work, body_of(request))
    _guard_read(work, target)
    content = current(work.store, column, work.read(target.model, target.id))
    if content is None and column.type == "File":
        raise no_file(column, target.id)
    if content is None or content.kind == "image":
        raise Refusal(
            404,
            "0x80040217",
            f"No FileAttachment records found for image attribute: {column.name} of {target.model.name} record with "
            f"id {guid_text(target.id)}.",
        )
    facts = {
        "FileContinuationToken": guid_text(content.id),
        "FileSizeInBytes": content.size,
        "FileName": content.name,
        "IsChunkingSupported": True,
    }
    return _answer(request, segment, facts)


def _begin_held_download(work: Work, request: Request, segment: Segment) -> Answer:
    table, _ = _HOLDERS[_holder(segment)]
    target = row(work, body_of(request), "Target")
    _guard_read(work, target)
    stored = work.read(target.model, target.id)
    text = stored.get(BODIES.get(target.model.name, ""))
    if target.model.name != table or not isinstance(text, str):
        raise Refusal(404, "0x80040217", f"The {target.model.name} {guid_text(target.id)} holds no file.")
    facts = {
        "FileContinuationToken": f"{table}/{guid_text(target.id)}/{stored.get('versionnumber')!r}",
        "FileSizeInBytes": _size_of(text),
        "FileName": stored.get("filename"),
    }
    return _answer(request, segment, facts)


def _download_block(work: Work, request: Request, segment: Segment) -> Answer:
    body = body_of(request)
    token, start, length = (body.get(name) for name in ("FileContinuationToken", "Offset", "BlockLength"))
    if type(start) is not int or type(length) is not int or start < 0 or length <= 0:
        raise _bad("Offset and BlockLength are whole numbers, not negative; BlockLength is not 0.")
    held = str(token).split("/")
    if len(held) == 3:
        data = _held_bytes(work, held, start, start + length)
    else:
        id_ = guid_blob(str(token))
        content = contents.find(work.store, id_) if id_ is not None else None
        if content is None or not content.is_whole:
            raise contents.over("download")
        _guard_read(work, Target(work.store.schema.tables[content.place.table], content.place.row or b""))
        data = b"".join(contents.read(work.store, content.id, start, start + length))
    return _answer(request, segment, {"Data": base64.b64encode(data).decode()})


def _held_bytes(work: Work, token: list[str], start: int, end: int) -> bytes:
    """Bytes of a note or attachment, as long as it is the row that the download began with."""
    table, id_text, version = token
    id_ = guid_blob(id_text)
    stored: Values | None = None
    if table in BODIES and id_ is not None:
        stored = work.find(work.store.schema.tables[table], id_)
    if stored is None or repr(stored.get("versionnumber")) != version:
        raise contents.over("download")
    _guard_read(work, Target(work.store.schema.tables[table], id_ or b""))
    text = str(stored[BODIES[table]])
    first = start // 3
    return base64.b64decode(text[first * 4 : -(-end // 3) * 4])[start - first * 3 : end - first * 3]


def _delete_file(work: Work, request: Request, segment: Segment) -> Answer:
    id_ = guid(body_of(request), "FileId")
    content = contents.find(work.store, id_)
    if content is None or not content.is_whole or content.place.row is None:
        raise Refusal(404, "0x80040217", f"fileattachment With Id = {guid_text(id_)} Does Not Exist")
    model = work.store.schema.tables[content.place.table]
    update_row(work, model, content.place.row, {content.place.column: None})
    return no_content()


def _guard_read(work: Work, target: Target) -> None:
    """Read on the row whose file is asked for."""
    if work.rights is not None:
        guard_read(work, work.rights, target.model, target.id)


def _column(work: Work, body: Body) -> tuple[Target, Column]:
    target = row(work, body, "Target")
    name = body.get("FileAttributeName")
    column = column_of(target.model, str(name))
    if column is None:
        raise Refusal(400, "0x80040203", f"'{name}' is no file or image column of {target.model.name}.")
    return target, column


def _session(work: Work, body: Body) -> Content:
    token = body.get("FileContinuationToken")
    id_ = guid_blob(token) if isinstance(token, str) else None
    session = contents.find(work.store, id_) if id_ is not None else None
    if session is None or session.is_whole:
        raise contents.over("upload")
    return session


def _holder(segment: Segment) -> str:
    return "Annotation" if "Annotation" in segment.name else "Attachment"


def _details(body: Body, table: str) -> dict[str, object]:
    """The row given as Target, of one table."""
    target = body.get("Target")
    if not isinstance(target, dict):
        raise missing("Target")
    kind = target.get("@odata.type")
    if not isinstance(kind, str) or kind.lstrip("#") != f"{_CRM}{table}":
        raise Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user: Target is no {table}.")
    return target


def _own_id(work: Work, table: str, details: Body) -> bytes | None:
    """The id a Target names. A note must have one: it may be there already."""
    text = details.get(work.store.schema.tables[table].table.id_column)
    id_ = guid_blob(text) if isinstance(text, str) else None
    if id_ is None and table == "annotation":
        raise missing("annotationid")
    return id_


def _decoded(value: object, name: str) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except binascii.Error:
        pass
    raise _bad(f"{name} is no base64 text.")


def _size_of(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def _bad(why: str) -> Refusal:
    return Refusal(400, "0x80040203", why)


def _answer(request: Request, segment: Segment, facts: Mapping[str, object]) -> Answer:
    return json_answer({"@odata.context": context(request, f"{_CRM}{segment.name}Response"), **facts})


BLOCK_ACTIONS: Mapping[str, Callable[[Work, Request, Segment], Answer]] = {
    "InitializeFileBlocksUpload": _begin_file,
    "InitializeAnnotationBlocksUpload": _begin_held,
    "InitializeAttachmentBlocksUpload": _begin_held,
    "UploadBlock": _upload_block,
    "CommitFileBlocksUpload": _commit_file,
    "CommitAnnotationBlocksUpload": _commit_held,
    "CommitAttachmentBlocksUpload": _commit_held,
    "InitializeFileBlocksDownload": _begin_file_download,
    "InitializeAnnotationBlocksDownload": _begin_held_download,
    "InitializeAttachmentBlocksDownload": _begin_held_download,
    "DownloadBlock": _download_block,
    "DeleteFile": _delete_file,
}
