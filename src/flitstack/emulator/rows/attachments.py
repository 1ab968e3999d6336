"""Files in notes and e-mail attachments: size, extension, computed columns.

The size limit is measured on the base64 text.
Source: Microsoft Learn, "Use file data with Attachment and Note records".
"""

import base64
import binascii

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.work import Change, Work

BODIES = {"annotation": "documentbody", "activitymimeattachment": "body"}
DEFAULT_MAX_BYTES = 5_242_880
MAX_BYTES = 131_072_000


def check_file(change: Change) -> None:
    """Refuse what the organization's settings refuse; fill `filesize` and `isdocument`."""
    body_column = BODIES[change.model.name]
    values = change.values
    if values.get("filename") is not None or values.get(body_column) is not None:
        limit, blocked = file_settings(change.work)
        check_extension(str(change.after("filename") or ""), blocked)
        body = values.get(body_column)
        if isinstance(body, str) and len(body) > limit:
            raise Refusal(
                400, "0x80044A02", f"Attachment file size is too big: {len(body)} bytes, the maximum is {limit} bytes."
            )
    if body_column in values:
        _fill_size(change, values[body_column])


def check_limit(change: Change) -> None:
    """`maxuploadfilesize` of the organization lies within what the platform allows."""
    value = change.values.get("maxuploadfilesize")
    if value is not None and not 1 <= int(value) <= MAX_BYTES:
        raise Refusal(
            400,
            "0x8004432F",
            "A validation error occurred.  The value of 'maxuploadfilesize' on record of type 'organization' is "
            f"outside the valid range: {value!r} is not between 1 and {MAX_BYTES}.",
        )


def _fill_size(change: Change, body: object) -> None:
    values, stored = change.values, change.model.stored
    size = 0
    if isinstance(body, str):
        try:
            size = len(base64.b64decode(body, validate=True))
        except binascii.Error as error:
            raise Refusal(400, "0x80040203", f"The file content is not valid base64: {error}") from error
    if "filesize" in stored:
        values["filesize"] = size
    if "isdocument" in stored and "isdocument" not in values:
        values["isdocument"] = 1 if body is not None else 0


def follow_object(change: Change) -> None:
    """`objecttypecode` is the table the row is bound to; attachments are numbered per e-mail."""
    kind = change.values.get("objectid$type")
    if kind is not None:
        change.values["objecttypecode"] = kind
        if change.model.name == "activitymimeattachment":
            change.values["activityid"] = change.values["objectid"] if kind != "template" else None
    if change.before is None and "attachmentnumber" in change.model.stored and "attachmentnumber" not in change.values:
        row = change.work.store.connection.execute(
            f"SELECT max(attachmentnumber) FROM {change.work.store.ensure(change.model)} WHERE objectid = ?",
            (change.values.get("objectid"),),
        ).fetchone()
        change.values["attachmentnumber"] = (row[0] or 0) + 1


def check_extension(name: str, blocked: frozenset[str]) -> None:
    """0x80043E09 for a file name whose extension the organization blocks."""
    extension = name.rpartition(".")[2].strip().lower() if "." in name else ""
    if extension in blocked:
        raise Refusal(
            400, "0x80043E09", f"The attachment is either not a valid type or is blocked: '.{extension}' is blocked."
        )


def file_settings(work: Work) -> tuple[int, frozenset[str]]:
    """The organization's largest attachment (bytes of base64 text) and its blocked extensions."""
    model = work.store.schema.tables["organization"]
    names = [c for c in ("maxuploadfilesize", "blockedattachments") if c in model.stored]
    row = work.store.connection.execute(
        f"SELECT {', '.join(map(quoted, names))} FROM {work.store.ensure(model)} LIMIT 1"
    ).fetchone()
    found = dict(zip(names, row or (), strict=False))
    blocked = str(found.get("blockedattachments") or "").lower().split(";")
    return int(found.get("maxuploadfilesize") or DEFAULT_MAX_BYTES), frozenset(b for b in blocked if b)
