"""What was asked of the emulator since the last reset; tests and the pacing of loads are judged by it."""

from collections import Counter
from dataclasses import dataclass, field

import orjson

from flitstack.emulator.messages import Answer

_ROOTS = {"$batch": "batch", "$metadata": "metadata", "EntityDefinitions": "metadata"}
_METHODS = {"GET": "read", "POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}


@dataclass(slots=True)
class Counters:
    """`requests` are HTTP requests by kind, `parts` requests inside batches; `during_pause` came before Retry-After."""

    requests: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    rows_created: int = 0
    during_pause: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "requests": dict(self.requests),
            "methods": dict(self.methods),
            "parts": dict(self.parts),
            "statuses": dict(self.statuses),
            "faults": dict(self.faults),
            "total": sum(self.methods.values()),
            "rows_created": self.rows_created,
            "during_pause": self.during_pause,
        }


def kind_of(method: str, path: str) -> str:
    """What a request is: a bulk message or an action by its own name, else read, create, update, delete, metadata."""
    root = path.partition("/")[0].partition("(")[0]
    if root in _ROOTS or root.endswith("Definitions"):
        return _ROOTS.get(root, "metadata")
    if "Microsoft.Dynamics.CRM." in path:
        return path.rpartition("Microsoft.Dynamics.CRM.")[2].partition("(")[0]
    if path.endswith("$ref"):
        return "associate" if method in {"POST", "PUT"} else "disassociate"
    if method == "POST" and root[:1].isupper():
        return root
    return _METHODS.get(method, method.lower())


def created_rows(kind: str, answer: Answer) -> int:
    """How many rows an answered create made."""
    if kind == "create" and answer.status in {201, 204}:
        return 1
    if kind == "CreateMultiple" and answer.status == 200:
        return len(orjson.loads(answer.body or b"{}").get("Ids", ()))
    return 0
