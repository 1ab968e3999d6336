"""What the environment's licence tier allows. A licence right: the platform itself does not stop anybody."""

from collections.abc import Iterable, Mapping
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.limits import CUSTOM_TABLES_PROFESSIONAL

PROFESSIONAL = "professional"


def check_licence(
    licence: str, operations: Iterable[Mapping[str, Any]], decisions: Mapping[str, Any], strategies: Iterable[str]
) -> None:
    """Raise UsageError when the plan needs what a Sales Professional licence does not give. `strategies`: decisions that
    say whether words of a vocabulary become rows of a table.

    Source: Dynamics 365 licensing guide, appendix on custom tables (15 custom tables beside the standard ones).
    """
    if licence != PROFESSIONAL:
        return
    problems = []
    tables = sorted(str(operation["name"]) for operation in operations if operation["kind"] == "create_table")
    if len(tables) > CUSTOM_TABLES_PROFESSIONAL:
        problems.append(
            Problem(
                "too-many-custom-tables",
                f"the plan makes {len(tables)} custom tables, a Sales Professional licence covers {CUSTOM_TABLES_PROFESSIONAL}",
                known=", ".join(tables),
                do="map some of them to standard tables, or license the environment for Enterprise",
            )
        )
    for name in (name for name in strategies if decisions.get(name) == "table"):
        problems.append(
            Problem(
                "tag-table-needs-enterprise",
                "a tag table is not offered for a Sales Professional licence",
                where=f"decisions.yaml, {name}",
                do="choose another of its options, or set licence: enterprise in flitstack.yaml if that is what you have",
            )
        )
    if problems:
        raise UsageError(*problems)
