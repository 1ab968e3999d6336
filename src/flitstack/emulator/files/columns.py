"""Columns of type File and Image: limits, what a row keeps of its content, values that come with a row's JSON.

Sources: Microsoft Learn, "Use file column data", "Use image column data", "Work with image column definitions using
code", "Files and images overview".
"""

import base64
import binascii
from collections.abc import Callable
from io import BytesIO
from mimetypes import MimeTypes

import orjson

from flitstack.catalogue.types import Column
from flitstack.emulator.checkers import Stored, wrong_type
from flitstack.emulator.files import contents
from flitstack.emulator.files.contents import Content, Place, pointer_of
from flitstack.emulator.files.images import image_too_big, not_an_image, thumbnail, type_of
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_text, parse_instant
from flitstack.emulator.work import Change, Values, Work

DEFAULT_MAX_KB = {"File": 32_768, "Image": 10_240}
_TICKS_OF_1970 = 621_355_968_000_000_000  # .NET ticks (100 ns since year 1)
_TICKS_PER_S = 10_000_000
_MIME_TYPES = MimeTypes(filenames=())  # only what Python knows, the same on every machine


def file_columns(model: EntityModel) -> tuple[Column, ...]:
    """The columns of a table that take file contents."""
    return tuple(c for c in model.columns.values() if c.type in DEFAULT_MAX_KB and c.is_web_api and c.updatable)


def max_bytes(column: Column) -> int:
    """The largest content of a column."""
    return (column.max_kb or DEFAULT_MAX_KB[column.type]) * 1024


def check_size(column: Column, size: int) -> None:
    """400 for a content beyond the column's limit."""
    limit = max_bytes(column)
    if size > limit:
        raise image_too_big(limit, size) if column.type == "Image" else too_big(size, limit)


def too_big(size: int, limit: int) -> Refusal:
    """400 for a file beyond its limit, as unManagedidsattachmentinvalidfilesize."""
    return Refusal(400, "0x80044A02", f"Attachment file size is too big: {size} bytes, the maximum is {limit} bytes.")


def mime_type(name: str) -> str:
    """The MIME type that a file's name suggests."""
    return _MIME_TYPES.guess_type(name)[0] or "application/octet-stream"


def kind_of(store: Store, model: EntityModel, column: Column) -> str:
    """The kind of the contents of a column."""
    if column.type == "File":
        return "file"
    return "full image" if stores_full_image(store, model.name, column.name) else "image"


def stores_full_image(store: Store, table: str, column: str) -> bool:
    """Whether an image column was made with CanStoreFullImage; no source says so of the platform's own."""
    row = store.connection.execute(
        "SELECT body FROM environment$document WHERE kind = 'column' AND name = ?", (f"{table}.{column}",)
    ).fetchone()
    extra = orjson.loads(row[0]).get("extra") if row else None
    return isinstance(extra, dict) and bool(extra.get("can_store_full_image"))


def current(store: Store, column: Column, row: Values) -> Content | None:
    """The content that a stored row names."""
    id_ = row.get(pointer_of(column))
    return contents.find(store, id_) if isinstance(id_, bytes) else None


def place_content(change: Change, column: Column, content: bytes, size: int, name: str, mime: str = "") -> None:
    """Let the change name a content whose blocks are in place; the earlier one goes."""
    store, model = change.work.store, change.model
    check_size(column, size)
    mime = mime or mime_type(name)
    if column.type == "Image":
        found = type_of(b"".join(contents.read(store, content, 0, 16)))
        if found is None:
            raise not_an_image(guid_text(change.id), model.name, column.name)
        name, mime = name or f"{column.name}.{found[0]}", found[1]
    clear_content(change, column)
    contents.finish(store, content, size, name, mime)
    change.values |= _shown(change, column, content, name)


def clear_content(change: Change, column: Column) -> None:
    """Let the change name no content; the earlier one goes."""
    old = (change.before or {}).get(pointer_of(column))
    if isinstance(old, bytes):
        contents.drop(change.work.store, old)
    names = [pointer_of(column), *companions(column)]
    change.values |= {name: None for name in names if name in change.model.stored}


def companions(column: Column) -> tuple[str, ...]:
    """The read-only columns beside a file or image column, the id of an image not among them."""
    return (f"{column.name}_timestamp", f"{column.name}_url") if column.type == "Image" else (f"{column.name}_name",)


def _shown(change: Change, column: Column, content: bytes, name: str) -> Values:
    if column.type == "File":
        shown: Values = {column.name: content, f"{column.name}_name": name}
    else:
        ticks = _ticks(change.work.now)
        url = (
            f"/Image/download.aspx?Entity={change.model.name}&Attribute={column.name}&Id={guid_text(content)}"
            f"&Timestamp={ticks}"
        )
        shown = {f"{column.name}id": content, f"{column.name}_timestamp": ticks, f"{column.name}_url": url}
    return {key: value for key, value in shown.items() if key in change.model.stored}


def _ticks(moment: str) -> int:
    instant = parse_instant(moment)
    return _TICKS_OF_1970 + (int(instant.timestamp()) if instant else 0) * _TICKS_PER_S


def read_value(model: EntityModel, column: Column, value: object) -> Stored:
    """A value that came with a row's JSON: null, or the base64 text of an image. A file comes by itself only."""
    if value is None:
        return None
    if column.type == "File":
        raise not_implemented(f"a value for '{model.name}.{column.name}' in a row (File)")
    if not isinstance(value, str):
        raise wrong_type(model.table.entity_set, column.name, value, "Edm.Binary")
    return value


def keep_contents(model: EntityModel) -> Callable[[Change], None]:
    """The rule that turns values of file and image columns into contents."""
    columns = file_columns(model)

    def keep(change: Change) -> None:
        for column in columns:
            if column.name in change.values:
                value = change.values.pop(column.name)
                if isinstance(value, str):
                    _keep_image(change, column, value)
                elif change.before is not None:
                    clear_content(change, column)

    return keep


def _keep_image(change: Change, column: Column, text: str) -> None:
    model, store = change.model, change.work.store
    if change.before is None and column.name != model.table.image_column:
        raise Refusal(
            400,
            "0x80090487",
            f"Non-primary image attribute {column.name} of entity {model.name} is not allowed to upload during "
            "Create operation.",
        )
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise wrong_type(model.table.entity_set, column.name, text[:20], "Edm.Binary") from error
    place = Place(model.name, change.id, column.name)
    content = contents.begin(change.work, kind_of(store, model, column), place, "", "")
    place_content(change, column, content, contents.fill(store, content, BytesIO(data)), "")


def thumbnail_text(work: Work, id_: object) -> str | None:
    """What `$select` shows of an image: its thumbnail as base64. 501 where it cannot be made."""
    content = contents.find(work.store, id_) if isinstance(id_, bytes) else None
    return None if content is None else base64.b64encode(thumbnail(work.store, content)).decode()
