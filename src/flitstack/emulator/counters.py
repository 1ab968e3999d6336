"""What was asked of the emulator since the last reset; tests and the pacing of loads are judged by it."""

import orjson

from flitstack.emulator.messages import Answer
from flitstack.emulator.shared.state import SharedState

_ROOTS = {"$batch": "batch", "$metadata": "metadata", "EntityDefinitions": "metadata"}
_METHODS = {"GET": "read", "POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}
_CREATING = ("create", "CreateMultiple")
_SECTIONS = ("requests", "methods", "parts", "statuses", "faults", "rows")


class Counters:
    """Counts of all processes together, in cells `requests/<kind>` ..., and `user/<id>/...` of each user.

    `count_*` need the lock of the memory; the rest takes it.
    """

    def __init__(self, state: SharedState) -> None:
        self._cells = state.cells
        self._lock = state.memory.lock

    def count_request(self, method: str, kind: str, user: str) -> None:
        """An HTTP request of a user (empty: nobody was signed in)."""
        add = self._cells.add
        add(f"methods/{method}")
        add(f"requests/{kind}")
        add(f"user/{user or 'nobody'}/requests/{kind}")

    def count_part(self, kind: str, user: str) -> None:
        """A request inside a batch."""
        self._cells.add(f"parts/{kind}")
        self._cells.add(f"user/{user}/parts/{kind}")

    def count_during_pause(self, user: str) -> None:
        """A request that came before Retry-After was over."""
        self._cells.add("during_pause")
        self._cells.add(f"user/{user}/during_pause")

    def count_answer(self, status: int) -> None:
        """An answer to an HTTP request."""
        self._cells.add(f"statuses/{status}")

    def count_rows(self, user: str, rows: list[tuple[str, int]]) -> None:
        """Rows a request of this user wrote, by kind of request."""
        for kind, number in rows:
            self._cells.add(f"rows/{kind}", number)
            self._cells.add(f"user/{user}/rows/{kind}", number)

    def reset(self) -> None:
        """Begin anew."""
        with self._lock():
            for prefix in ("during_pause", "user/", *(f"{section}/" for section in _SECTIONS)):
                self._cells.clear(prefix)

    def document(self) -> dict[str, object]:
        """As JSON."""
        with self._lock():
            cells = self._cells.items()
        users: dict[str, dict[str, object]] = {}
        for name in cells:
            if name.startswith("user/"):
                user = name.split("/")[1]
                users.setdefault(user, _document(cells, f"user/{user}/", ("requests", "parts", "rows")))
        return {**_document(cells, "", _SECTIONS), "users": users}


def _document(cells: dict[str, int], prefix: str, sections: tuple[str, ...]) -> dict[str, object]:
    found = {section: _section(cells, f"{prefix}{section}/") for section in sections}
    return {
        **found,
        "total": sum(found["requests"].values()),
        "rows_created": sum(found["rows"].get(kind, 0) for kind in _CREATING),
        "during_pause": cells.get(f"{prefix}during_pause", 0),
    }


def _section(cells: dict[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): number for name, number in cells.items() if name.startswith(prefix)}


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


def written_rows(kind: str, named: int, answer: Answer) -> int:
    """How many rows an answered request wrote; `named` are those its body names."""
    if answer.status >= 400 or kind in {"read", "metadata", "batch"}:
        return 0
    if kind == "CreateMultiple":
        return len(orjson.loads(answer.body or b"{}").get("Ids", ()))
    return named if kind in _BULK else 1


_BULK = frozenset({"UpdateMultiple", "UpsertMultiple", "DeleteMultiple"})
