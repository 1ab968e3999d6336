"""Registers the value functions in an engine's connection: one meaning, wherever deduping or mapping uses them."""

import duckdb

from flitstack.staging.engine.companies import company_macros
from flitstack.staging.engine.dates import DATE_MACROS
from flitstack.staging.engine.inline import INLINE_MACROS, files_inside, text_marked
from flitstack.staging.engine.markup import MARKUP_MACROS, sanitised_markup, text_of_markup, text_of_rtf
from flitstack.staging.engine.names import NAME_MACROS
from flitstack.staging.engine.numbers import NUMBER_MACROS
from flitstack.staging.engine.text import TEXT_MACROS
from flitstack.staging.engine.web import WEB_MACROS


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every value function callable on this connection."""
    for function in (sanitised_markup, text_of_markup, text_of_rtf, text_marked):
        connection.create_function(function.__name__, function, ["VARCHAR"], "VARCHAR", type="arrow")
    connection.create_function(files_inside.__name__, files_inside, ["VARCHAR"], "VARCHAR[]", type="arrow")
    # In order: a macro may use only those before it.
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
    for macro in (macro for group in groups for macro in group):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")
