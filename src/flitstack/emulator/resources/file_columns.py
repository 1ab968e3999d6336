"""A file or image column as a resource of its row: upload whole or in chunks, download whole or in ranges, delete.

Sources: Microsoft Learn, "Use file column data", "Use image column data"; "File columns" for the Location of a download
in ranges. Content-Disposition and the answers of empty columns: measurements against a real environment in a public
repository on GitHub ("File Preview", probe of October 2026).
"""

from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from os import SEEK_END
from pathlib import Path
from typing import IO
from urllib.parse import quote

import orjson

from flitstack.catalogue.types import Column
from flitstack.emulator.answers import no_content
from flitstack.emulator.files import contents
from flitstack.emulator.files.columns import (
    check_size,
    current,
    file_columns,
    kind_of,
    mime_type,
    place_content,
)
from flitstack.emulator.files.contents import BLOCK_BYTES, Content, Place
from flitstack.emulator.files.images import thumbnail
from flitstack.emulator.files.ranges import OutOfRange, Span, covers, sent_span, wanted_span
from flitstack.emulator.files.spool import base64_pieces, spooled
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.resources.single import check_match
from flitstack.emulator.rows.attachments import check_extension, file_settings
from flitstack.emulator.rows.guards import guard_update
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.rows.write import location, update_row, write_change
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_blob, guid_text
from flitstack.emulator.work import Change, Work

JSON = "application/json; odata.metadata=minimal"
_SESSION = "sessiontoken"


def column_of(model: EntityModel, name: str) -> Column | None:
    """The file or image column of this name."""
    return next((column for column in file_columns(model) if column.name == name), None)


def answer(work: Work, request: Request, model: EntityModel, id_: bytes, column: Column, tail: str | None) -> Answer:
    """GET, PATCH, PUT or DELETE of `set(key)/column`, GET of `.../$value`."""
    if request.method == "GET" and tail in {None, "$value"}:
        return _download(work, request, model, id_, column, is_raw=tail == "$value")
    if tail is None and request.method in {"PATCH", "PUT", "DELETE"}:
        model.require_message("Update")
        check_match(work, request, model, id_)
        if request.method == "PATCH":
            return _upload(work, request, Place(model.name, id_, column.name), model, column)
        value = read_object(request.body).get("value") if request.method == "PUT" else None
        update_row(work, model, id_, {column.name: value})
        return no_content()
    raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")


def attach(
    work: Work, model: EntityModel, id_: bytes, column: Column, content: bytes, size: int, name: str, mime: str = ""
) -> None:
    """Let a row name a content whose blocks are in place; without `mime` its type follows from its name."""
    change = Change(work, model, id_, {}, work.read(model, id_))
    place_content(change, column, content, size, name, mime)
    write_change(change)


def guard_change(change: Change) -> None:
    """Write on the row whose file changes."""
    if change.work.rights is not None:
        guard_update(change.work.rights, change)


def check_name(work: Work, column: Column, name: str) -> None:
    """Refusal for a file name that is missing or whose extension is blocked. Images have a list of their own."""
    if not name:
        raise Refusal(400, "0x80040203", "The name of the file is missing (x-ms-file-name).")
    if column.type == "File":
        check_extension(name, file_settings(work)[1])


def _upload(work: Work, request: Request, place: Place, model: EntityModel, column: Column) -> Answer:
    token = request.query.get(_SESSION)
    if token is not None:
        return _take_chunk(work, request, place, model, column, token)
    if "content-range" in request.headers:
        raise Refusal(400, "0x80040203", f"A request with Content-Range needs the {_SESSION} of its upload.")
    name = request.headers.get("x-ms-file-name") or request.query.get("x-ms-file-name") or ""
    check_name(work, column, name)
    is_chunked = request.headers.get("x-ms-transfer-mode", "").strip().lower() == "chunked"
    source = _source(request)
    if not is_chunked:
        check_size(column, _length(source))
    assert place.row is not None
    guard_change(Change(work, model, place.row, {}, work.read(model, place.row)))
    content = contents.begin(work, kind_of(work.store, model, column), place, name, mime_type(name))
    if not is_chunked:
        attach(work, model, place.row, column, content, contents.fill(work.store, content, source), name)
        return no_content()
    where = f"{request.base_url}{location(model, place.row)}/{column.name}?{_SESSION}={guid_text(content)}"
    headers = {
        "OData-Version": "4.0",
        "Location": where,
        "Accept-Ranges": "bytes",
        "x-ms-chunk-size": str(BLOCK_BYTES),
        "Access-Control-Expose-Headers": "x-ms-chunk-size",
    }
    return Answer(200, None, headers)


def _take_chunk(work: Work, request: Request, place: Place, model: EntityModel, column: Column, token: str) -> Answer:
    """206 until the file has no gap any more, then 204 and the row names it."""
    store = work.store
    id_ = guid_blob(token)
    session = contents.find(store, id_) if id_ is not None else None
    if session is None or session.is_whole or session.place != place:
        raise contents.over("upload")
    source = _source(request)
    span, size = sent_span(request.headers.get("content-range", ""), _length(source))
    if session.size not in {None, size}:
        raise Refusal(400, "0x80040203", f"The chunks of one file name different sizes: {session.size} and {size}.")
    check_size(column, size)
    contents.announce_size(store, session.id, size)
    _make_room(store, session.id, span)
    at = span.start
    while data := source.read(BLOCK_BYTES):
        contents.put_block(store, session.id, str(at), data, at)
        at += len(data)
    if not covers(contents.spans(store, session.id), size):
        return Answer(206, None, {"OData-Version": "4.0"})
    assert place.row is not None
    attach(work, model, place.row, column, session.id, size, session.name)
    return no_content()


def _make_room(store: Store, id_: bytes, span: Span) -> None:
    """A chunk may be sent again, its answer having been lost; it may not cut through another one."""
    for start, end in contents.spans(store, id_):
        if start < span.end and span.start < end:
            if not (span.start <= start and end <= span.end):
                raise Refusal(400, "0x80040203", f"Content-Range: overlaps bytes {start}-{end - 1} in part.")
            contents.drop_block(store, id_, str(start))


def _source(request: Request) -> IO[bytes]:
    return request.upload if request.upload is not None else BytesIO(request.body)


def _length(source: IO[bytes]) -> int:
    size = source.seek(0, SEEK_END)
    source.seek(0)
    return size


def _download(work: Work, request: Request, model: EntityModel, id_: bytes, column: Column, *, is_raw: bool) -> Answer:
    content = current(work.store, column, work.read(model, id_))
    wants_full = request.query.get("size", "").lower() == "full"
    if content is None and column.type == "File":
        raise no_file(column, id_)
    if content is None or (wants_full and content.kind == "image"):
        return no_content()
    is_thumbnail = column.type == "Image" and not wants_full
    small = thumbnail(work.store, content) if is_thumbnail else None
    size = len(small) if small is not None else content.size or 0
    try:
        span = wanted_span(request.headers.get("range"), size)
    except OutOfRange:
        return Answer(416, None, {"OData-Version": "4.0", "Content-Range": f"bytes */{size}"})
    part = span or Span(0, size)
    headers = _describe(content, size)
    if span is not None:
        headers |= {
            "x-ms-chunk-size": str(BLOCK_BYTES),
            "Content-Range": f"bytes {part.start}-{part.end - 1}/{size}",
            "Location": _own_url(request, model, id_, column, is_raw=is_raw),
        }
        headers["Access-Control-Expose-Headers"] = "x-ms-file-size; x-ms-file-name; x-ms-chunk-size; mimetype"
    pieces: Iterator[bytes] = contents.read(work.store, content.id, part.start, part.end)
    if small is not None:
        pieces = iter([small[part.start : part.end]])
    headers["Content-Type"] = "application/octet-stream" if is_raw else JSON
    if not is_raw:
        named = orjson.dumps(context(request, f"{location(model, id_)}/{column.name}"))
        pieces = chain([b'{"@odata.context":' + named + b',"value":"'], base64_pieces(pieces), [b'"}'])
    status = 200 if span is None else 206
    if part.size <= BLOCK_BYTES:
        return Answer(status, b"".join(pieces), headers)
    return Answer(status, None, headers, spooled(directory_of(work.store), pieces))


def no_file(column: Column, id_: bytes) -> Refusal:
    """404 for a file column without a file, as observed; an image column without an image answers 204."""
    return Refusal(
        404,
        "0x80040217",
        f"No file attachment found for attribute: {column.name} EntityId: {guid_text(id_)}.",
    )


def _describe(content: Content, size: int) -> dict[str, str]:
    name = quote(content.name, safe=" !#$&'()+,-.;=@[]^_`{}~")
    disposition = f'filename="{name}"' if name == content.name else f"filename*=UTF-8''{quote(content.name, safe='')}"
    return {
        "OData-Version": "4.0",
        "Accept-Ranges": "bytes",
        "x-ms-file-name": name,
        "x-ms-file-size": str(size),
        "mimetype": content.mimetype,
        "Content-Disposition": f"inline; {disposition}",
        "Access-Control-Expose-Headers": "x-ms-file-size; x-ms-file-name; mimetype",
    }


def _own_url(request: Request, model: EntityModel, id_: bytes, column: Column, *, is_raw: bool) -> str:
    """Where the next range is found."""
    size = request.query.get("size")
    url = f"{request.base_url}{location(model, id_)}/{column.name}{'/$value' if is_raw else ''}"
    return url if size is None else f"{url}?size={quote(size)}"


def directory_of(store: Store) -> Path:
    """The data directory."""
    return Path(store.connection.execute("PRAGMA database_list").fetchone()[2]).parent
