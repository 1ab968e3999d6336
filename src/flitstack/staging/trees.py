"""Reads JSON: an array, JSON lines, or an object that wraps the list; nested objects become dotted columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from flitstack.staging.dialect import find_encoding
from flitstack.staging.source import Record, Reject, Remarks

HEADER_RECORDS = 100_000


class TreeSource:
    """Records of a JSON file. The header is the union of all keys, in the order first met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.remarks = Remarks()
        self._encoding = find_encoding(path)
        names: dict[str, None] = {}
        for _, _, record in self._trees():
            if isinstance(record, dict):
                names.update(dict.fromkeys(flatten(record)))
        self.header = list(names)

    def records(self) -> Iterator[Record | Reject]:
        """Every element; what is no object is a reject."""
        for number, (line, raw, record) in enumerate(self._trees(), start=1):
            if not isinstance(record, dict):
                yield Reject(
                    number, line, "bad_row", "not a JSON object" if record is not None else "not readable as JSON", raw
                )
                continue
            flat = flatten(record)
            yield Record(number, line, [flat.get(name) for name in self.header])

    def _trees(self) -> Iterator[tuple[int | None, str, Any]]:
        """(line, raw text, value) of every record; value None where a line is no JSON."""
        if is_lines(self.path, self._encoding):
            yield from self._lines()
            return
        try:
            data = orjson.loads(self.path.read_text(encoding=self._encoding))
        except orjson.JSONDecodeError as error:
            text = self.path.read_text(encoding=self._encoding, errors="replace")
            yield error.lineno, text[max(0, error.pos - 100) : error.pos + 100], None
            return
        for element in _elements(data):
            yield None, "", element

    def _lines(self) -> Iterator[tuple[int, str, Any]]:
        with self.path.open(encoding=self._encoding, errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield number, line, orjson.loads(line)
                except orjson.JSONDecodeError:
                    yield number, line.rstrip("\n"), None


def is_lines(path: Path, encoding: str) -> bool:
    """JSON lines: the first line that is not blank is a whole value by itself and another line follows, or the name says so."""
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return True
    with path.open(encoding=encoding, errors="replace") as file:
        for line in file:
            if line.strip():
                try:
                    return isinstance(orjson.loads(line), dict) and bool(next(file, "").strip())
                except orjson.JSONDecodeError:
                    return False
    return False


def flatten(record: dict[str, Any], before: str = "") -> dict[str, str | None]:
    """Dotted names to text: numbers plain, truth values true/false, lists as JSON text, empty text and null None."""
    flat: dict[str, str | None] = {}
    for key, value in record.items():
        name = f"{before}{key}"
        match value:
            case dict() if value:
                flat |= flatten(value, f"{name}.")
            case None | "":
                flat[name] = None
            case bool():
                flat[name] = "true" if value else "false"
            case str():
                flat[name] = value
            case int() | float():
                flat[name] = (
                    str(int(value))
                    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15
                    else str(value)
                )
            case _:
                flat[name] = orjson.dumps(value).decode()
    return flat


def _elements(data: Any) -> list[Any]:
    """The list a document holds: itself, or its only list of objects; a lone object is one record."""
    if isinstance(data, list):
        return data
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(lists) == 1:
            return list(lists[0])
        return [data]
    return [data]
