"""What a source's migration must do, item by item: how it is done and the test that shows it, or why it is open.

`checklist.yaml` beside a pack (and one for what holds for all of them beside this file): a list of items, each with
`id`, `what`, `how` and `tests` (pytest node ids) or `open` (the reason); both where a part is shown and a part is open.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flitstack.documents import Lines, read_yaml
from flitstack.errors import Problem

GENERAL = Path(__file__).with_name("checklist.yaml")
_WORDS = frozenset(("id", "what", "how", "tests", "open"))


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `open` is empty when all of it is shown by `tests`."""

    id: str
    what: str
    how: str
    tests: tuple[str, ...]
    open: str


def read_checklist(path: Path) -> tuple[tuple[Item, ...], list[Problem]]:
    """The items of a file in its order, and what is wrong with it."""
    data, lines = read_yaml(path)
    items: list[Item] = []
    problems: list[Problem] = []
    for number, entry in enumerate(data.get("items") or ()):
        where = f"{path.parent.name}/{path.name}:{lines.get(('items', str(number)), 1)}"
        problems += _entry_problems(entry, number, where)
        if isinstance(entry, Mapping):
            items.append(_item(entry))
    problems += _repeated(items, path, lines)
    return tuple(items), problems


def missing_tests(items: tuple[Item, ...], root: Path, path: Path) -> Iterator[Problem]:
    """Tests that an item names and that `root` (a checkout) does not have."""
    for item in items:
        for node in item.tests:
            if not _has_test(root, node):
                where = f"{path.parent.name}/{path.name}, {item.id}"
                do = "name a test that exists, as file::function below tests/"
                yield Problem("checklist-test", f"there is no test {node}", where=where, do=do)


def _item(entry: Mapping[str, Any]) -> Item:
    texts = {word: " ".join(str(entry.get(word, "")).split()) for word in ("id", "what", "how", "open")}
    return Item(**texts, tests=tuple(str(node) for node in entry.get("tests") or ()))


def _entry_problems(entry: Any, number: int, where: str) -> Iterator[Problem]:
    if not isinstance(entry, Mapping):
        yield Problem(
            "checklist-form", f"item {number + 1} is no mapping", where=where, do="write id, what, how, tests"
        )
        return
    name = entry.get("id", number + 1)
    for word in entry.keys() - _WORDS:
        yield Problem("checklist-form", f"item {name}: {word!r} is no part of an item", where=where, do="take it out")
    for word in ("id", "what", "how"):
        if not entry.get(word):
            yield Problem("checklist-form", f"item {name} says no {word}", where=where, do=f"write {word}:")
    if not entry.get("tests") and not entry.get("open"):
        do = "write tests: with the tests that show it, or open: with the reason"
        yield Problem("checklist-untested", f"item {name} is shown by no test", where=where, do=do)


def _repeated(items: list[Item], path: Path, lines: Lines) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, item in enumerate(items):
        if item.id in seen:
            where = f"{path.parent.name}/{path.name}:{lines.get(('items', str(number)), 1)}"
            yield Problem("checklist-form", f"item {item.id} stands twice", where=where, do="make it one")
        seen.add(item.id)


def _has_test(root: Path, node: str) -> bool:
    file, _, function = node.partition("::")
    path = root / "tests" / file.removeprefix("tests/")
    return path.is_file() and (not function or function.partition("[")[0] in _functions(path))


@cache
def _functions(path: Path) -> frozenset[str]:
    """Names of the test functions of a file, those of state machines among them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    names |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return frozenset(names)
