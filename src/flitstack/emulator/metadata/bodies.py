"""Members of the JSON bodies that define metadata; each wrong one is refused with its name."""

from collections.abc import Mapping
from typing import Any

import orjson

from flitstack.emulator.messages import Refusal, Request
from flitstack.emulator.metadata.labels import Texts, read_label
from flitstack.emulator.metadata.shapes import check_shape

Body = Mapping[str, Any]


def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request, its members of the right kinds."""
    try:
        found = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise wrong(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise wrong("an object is expected")
    check_shape(found)
    return found


def wrong(detail: str) -> Refusal:
    """400 for a definition that cannot be read."""
    return Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user for Entity :'', {detail}")


def out_of_range(detail: str) -> Refusal:
    """400 for a limit that a definition crosses."""
    return Refusal(400, "0x80040203", detail)


def kind_of(body: Body) -> str:
    """`StringAttributeMetadata` of `#Microsoft.Dynamics.CRM.StringAttributeMetadata`.

    Actions take the same definitions as complex types (`ComplexStringAttributeMetadata`).
    """
    name = str(body.get("@odata.type", "")).removeprefix("#").removeprefix("Microsoft.Dynamics.CRM.")
    return name.removeprefix("Complex")


def inner(body: Body, member: str) -> Any:
    """`{"Value": x}` or x itself."""
    value = body.get(member)
    return value.get("Value") if isinstance(value, dict) else value


def number(body: Body, member: str, default: float, low: float, high: float) -> float:
    """A number within limits."""
    value = body.get(member)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise out_of_range(f"{member} must lie between {low:,.0f} and {high:,.0f}, not {value}.")
    return value


def whole(body: Body, member: str, default: int, low: int, high: int) -> int:
    """A whole number within limits."""
    return int(number(body, member, default, low, high))


def texts_of(body: Body, language: int) -> dict[str, object]:
    """DisplayName and Description as they are kept beside a definition."""
    found: dict[str, object] = {}
    for member, kept in (("DisplayName", "labels"), ("Description", "descriptions")):
        texts: Texts = read_label(body.get(member), language)
        if texts:
            found[kept] = texts
    return found
