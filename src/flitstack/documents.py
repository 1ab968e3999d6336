"""Documents on disk: YAML that people edit (with line numbers), JSON that steps hand on, both written atomically."""

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import ScalarString

from flitstack.errors import Problem, UsageError
from flitstack.plain_yaml import Lines as Lines  # callers take it from here
from flitstack.plain_yaml import plain_tree

Document = TypeVar("Document")
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
_adapter: Any = cache(TypeAdapter)  # once a kind: making one takes longer than reading with it
_PLAIN_KINDS: dict[type, type] = {ScalarBoolean: bool, ScalarInt: int, ScalarFloat: float, ScalarString: str}


def to_json(document: object) -> bytes:
    """Canonical JSON (sorted keys) of a frozen dataclass or plain data."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=_plain)


def save_json(path: Path, document: object) -> None:
    """Write a step's document: beside, synced, renamed."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    save_bytes(path, orjson.dumps(document, option=options, default=_plain))


def load_json(path: Path, kind: type[Document]) -> Document:
    """Read a step's document back. Raises FileNotFoundError, or UsageError when it is not such a document."""
    try:
        document: Document = _adapter(kind).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(
            Problem(
                "document-unreadable",
                f"{path.name} is no {kind.__name__}: {error.errors()[0]['msg']}",
                where=str(path),
                do="run the step that writes it again",
            )
        ) from error
    return document


def save_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file so that a reader sees the old or the new content, never a part, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def fingerprint(*parts: bytes | str) -> str:
    """sha256 over the parts, each with its length, as hex."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_yaml(
    path: Path, *, version: int = 1, upgrades: Mapping[int, Upgrade] | None = None, content: bytes | None = None
) -> tuple[dict[str, Any], Lines]:
    """A YAML mapping as plain data to look at, and the line of every key.

    `version` is the format this program knows; `upgrades[n]` turns format n into n + 1 and are applied in order. `content`:
    the file's bytes, for who has read them already. Raises UsageError with file and line for text that is no YAML
    mapping, or of a format newer than `version`. Comments are not kept: what is to be written back comes from `edit_yaml`.
    """
    text = _yaml_text(path, path.read_bytes() if content is None else content)
    data, lines = plain_tree(text) or _commented_tree(path, text, is_plain=True)
    return _upgraded(path, data, lines, version, upgrades or {}), lines


def edit_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping to be changed and written back with `write_yaml`: comments stay. Raises as `read_yaml` does.

    Ten to a hundred times slower than `read_yaml`.
    """
    data, lines = _commented_tree(path, _yaml_text(path, path.read_bytes()), is_plain=False)
    return _upgraded(path, data, lines, 1, {})


def _upgraded(
    path: Path, data: dict[str, Any], lines: Lines, version: int, upgrades: Mapping[int, Upgrade]
) -> dict[str, Any]:
    found = data.get("format", 1)
    if not isinstance(found, int) or found > version:
        where = f"{path}:{lines.get(('format',), 1)}"
        what = f"{path.name} has format {found!r}, this version of flitstack reads {version}"
        raise UsageError(Problem("format-unknown", what, where=where, do="upgrade flitstack"))
    for old in range(found, version):
        data = upgrades[old](data)
        data["format"] = old + 1
    return data


def _yaml_text(path: Path, content: bytes) -> str:
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()  # line ends become \n, as in a text file
    except UnicodeDecodeError as error:
        raise _no_yaml(path, 1, "is not written in UTF-8", "save it as UTF-8") from error


def _commented_tree(path: Path, text: str, *, is_plain: bool) -> tuple[dict[str, Any], Lines]:
    lines: Lines = {}
    try:
        data = _commented(text)
        _collect_lines(data, (), lines)
        if is_plain:
            data = _plain_tree_of(data, {})
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _no_yaml(path, line, f"is no YAML: {error.problem}", "correct this line") from error
    except (YAMLError, ValueError, NotImplementedError) as error:
        # ValueError: what looks like a date and is none, such as 2026-02-30. NotImplementedError: a comment that
        # ruamel.yaml has no place for, between a key and its value.
        raise _no_yaml(path, 1, f"is no YAML: {error}", "correct the file") from error
    except RecursionError as error:
        raise _no_yaml(path, 1, "is nested too deeply", "correct the file") from error
    if data is None:
        return CommentedMap(), lines
    if not isinstance(data, dict):
        raise _no_yaml(path, 1, "must hold a mapping", "write keys and values")
    return data, lines


def _commented(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            # An anchor may be given twice (YAML 1.2.2, 3.2.2.2); nobody at a terminal wants to read about it.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            return YAML().load(text)
    except TypeError as error:  # ruamel.yaml looks up the key `- a: 1`, which holds a mapping
        raise YAMLError("a key is a list that holds keys and values") from error


def _plain_tree_of(node: Any, seen: dict[int, Any]) -> Any:
    """The same values without what the reader keeps for writing them back; what was one node for an alias stays one."""
    if id(node) in seen:
        return seen[id(node)]
    if isinstance(node, CommentedMap):
        plain: Any = seen.setdefault(id(node), {})
        plain.update((_plain_tree_of(key, seen), _plain_tree_of(value, seen)) for key, value in node.items())
        return plain
    if isinstance(node, CommentedSeq):
        plain = seen.setdefault(id(node), [])
        plain.extend(_plain_tree_of(value, seen) for value in node)
        return plain
    kind = next((plain for written, plain in _PLAIN_KINDS.items() if isinstance(node, written)), None)
    return kind(node) if kind else node


def _no_yaml(path: Path, line: int, what: str, do: str) -> UsageError:
    return UsageError(Problem("yaml-unreadable", f"{path.name} {what}", where=f"{path}:{line}", do=do))


def write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    """Write YAML for people: block style, comments kept, no line folding."""
    writer = YAML()
    writer.Representer = _PlainRepresenter
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    writer.dump(_yaml_ready(data), text)
    save_bytes(path, text.getvalue().encode())


class _PlainRepresenter(RoundTripRepresenter):
    """Writes texts so that they read back: the emitter leaves line ends of other alphabets bare, the reader folds them."""

    def represent_text(self, text: str) -> ScalarNode:
        style = '"' if any(mark in text for mark in "\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainRepresenter.add_representer(str, _PlainRepresenter.represent_text)


def _yaml_ready(data: Any) -> Any:
    if isinstance(data, CommentedMap | CommentedSeq):
        return data
    if isinstance(data, Mapping):
        return {str(key): _yaml_ready(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_yaml_ready(value) for value in data]
    return data


def _collect_lines(node: Any, path: tuple[str, ...], lines: Lines) -> None:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            place = (*path, str(key))
            if key in (node.lc.data or {}):
                lines[place] = node.lc.key(key)[0] + 1
            _collect_lines(value, place, lines)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            place = (*path, str(index))
            if index in (node.lc.data or {}):
                lines[place] = node.lc.item(index)[0] + 1
            _collect_lines(value, place, lines)


def _plain(value: object) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):  # a time read from YAML keeps how it was written, which orjson does not know
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
