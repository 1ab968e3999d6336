"""The value functions in an engine's connection: one meaning, wherever deduping or mapping uses them."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb

from flitstack.staging.engine.companies import company_macros
from flitstack.staging.engine.dates import DATE_MACROS
from flitstack.staging.engine.inline import INLINE_MACROS, files_inside, text_marked
from flitstack.staging.engine.markup import MARKUP_MACROS, sanitised_markup, text_of_markup, text_of_rtf
from flitstack.staging.engine.names import NAME_MACROS
from flitstack.staging.engine.numbers import NUMBER_MACROS
from flitstack.staging.engine.text import TEXT_MACROS
from flitstack.staging.engine.web import WEB_MACROS

_PYTHON: dict[str, tuple[Callable[..., Any], str]] = {
    function.__name__: (function, returned)
    for function, returned in (
        (sanitised_markup, "VARCHAR"),
        (text_of_markup, "VARCHAR"),
        (text_of_rtf, "VARCHAR"),
        (text_marked, "VARCHAR"),
        (files_inside, "VARCHAR[]"),
    )
}
_WORD = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)


class ValueFunctions:
    """The value functions of one connection, each made when a statement first names it.

    Making all of them takes DuckDB a seventh of a second, which is more than most commands do with the engine.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._made: set[str] = set()

    def provide(self, sql: str) -> None:
        """Make callable what a statement names, and what that is made of."""
        for name in _named(sql).difference(self._made):
            self._make(name)

    def _make(self, name: str) -> None:
        self._made.add(name)
        if name in _PYTHON:
            function, returned = _PYTHON[name]
            self._connection.create_function(name, function, ["VARCHAR"], returned, type="arrow")
            return
        macro = _macros()[name]
        self.provide(macro)
        self._connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")


def _named(sql: str) -> frozenset[str]:
    """Value functions whose names stand in a text; a column or a text of the same name does no harm."""
    return _names().intersection(word.lower() for word in _WORD.findall(sql))


@cache
def _names() -> frozenset[str]:
    return frozenset((*_macros(), *_PYTHON))


@cache
def _macros() -> dict[str, str]:
    """The macros by name, each after those that it uses."""
    groups = (
        TEXT_MACROS,
        WEB_MACROS,
        company_macros(),
        NAME_MACROS,
        NUMBER_MACROS,
        DATE_MACROS,
        MARKUP_MACROS,
        INLINE_MACROS,
    )
    return {macro.partition("(")[0]: macro for group in groups for macro in group}
