"""Names of new definitions: prefix, length, plural.

Sources: CustomizationsSolution.xsd (1-50 characters), Microsoft Learn, "Publisher table" (prefix of 2-8 alphanumeric
characters that does not begin with "mscrm").
"""

import re

from flitstack.emulator.messages import Refusal

MAX_NAME = 50
MAX_RELATIONSHIP_NAME = 100
_NAME = re.compile(r"(?!mscrm)[A-Za-z][A-Za-z0-9]{1,7}_\w+", re.ASCII | re.IGNORECASE)


def checked_name(value: object, what: str) -> str:
    """The schema name of a table, column, key or choice; Refusal 400."""
    name = _prefixed(value, what)
    if len(name) > MAX_NAME:
        raise Refusal(
            400, "0x80044367", f"The schema name '{name}' of the {what} is longer than {MAX_NAME} characters."
        )
    return name


def checked_relationship_name(value: object) -> str:
    """The schema name of a relationship; Refusal 400."""
    name = _prefixed(value, "relationship")
    if len(name) > MAX_RELATIONSHIP_NAME:
        raise Refusal(400, "0x8004802A", f"The relationship name '{name}' is longer than {MAX_RELATIONSHIP_NAME}.")
    return name


def _prefixed(value: object, what: str) -> str:
    name = value if isinstance(value, str) else ""
    if not _NAME.fullmatch(name):
        raise Refusal(
            400,
            "0x80040203",
            f"The schema name '{name}' of the {what} is invalid or missing. It must start with a valid customization "
            "prefix and contain only letters, digits and underscores.",
        )
    return name


def plural_of(name: str) -> str:
    """The entity set name the service forms from a logical name (English rules)."""
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"
