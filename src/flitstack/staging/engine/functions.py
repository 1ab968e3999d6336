"""Registers the value functions in an engine's connection: one meaning, wherever deduping or mapping uses them."""

import duckdb

from flitstack.staging.engine.amounts import DATE_MACROS, NUMBER_MACROS
from flitstack.staging.engine.markup import MARKUP_MACROS, sanitised_markup, text_of_markup
from flitstack.staging.engine.text import NAME_MACROS, TEXT_MACROS, company_macros


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every value function callable on this connection."""
    for function in (sanitised_markup, text_of_markup):
        connection.create_function(function.__name__, function, ["VARCHAR"], "VARCHAR", type="arrow")
    for macro in (*TEXT_MACROS, *company_macros(), *NAME_MACROS, *NUMBER_MACROS, *DATE_MACROS, *MARKUP_MACROS):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")
