"""Answers every part of the front makes alike: JSON, nothing, an error."""

from collections.abc import Mapping

import orjson

from flitstack.emulator.messages import Answer, Refusal

JSON = "application/json; odata.metadata=minimal"


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON body."""
    return Answer(status, orjson.dumps(document), {"Content-Type": JSON, "OData-Version": "4.0", **(headers or {})})


def created(url: str) -> Answer:
    """204 for something that now has this URL."""
    return Answer(204, None, {"OData-Version": "4.0", "Location": url, "OData-EntityId": url})


def no_content() -> Answer:
    """204 for something done."""
    return Answer(204, None, {"OData-Version": "4.0"})


def refused(refusal: Refusal) -> Answer:
    """The error body of a refusal."""
    error = {"error": {"code": refusal.code, "message": refusal.message}}
    return Answer(refusal.status, orjson.dumps(error), {"Content-Type": JSON, "OData-Version": "4.0"})
