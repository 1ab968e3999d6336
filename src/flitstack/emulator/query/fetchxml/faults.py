"""Refusals of FetchXML, by the names of their codes.

Sources: Microsoft Learn, "Web service error codes" (QueryBuilder...), "Join tables using FetchXml", "Filter rows using
FetchXml". The HTTP status of all is 400, as of every code the documentation does not list apart.
"""

from flitstack.emulator.messages import Refusal


def no_entity(message: str) -> Refusal:
    """QueryBuilderNoEntity."""
    return Refusal(400, "0x80041102", message)


def unknown_table(name: str) -> Refusal:
    """A table that the environment does not have."""
    return no_entity(
        f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache."
    )


def no_attribute(table: str, name: str) -> Refusal:
    """QueryBuilderNoAttribute; `table` is the schema name."""
    return Refusal(
        400,
        "0x80041103",
        f"'{table}' entity doesn't contain attribute with Name = '{name}' and NameMapping = 'Logical'.",
    )


def invalid_node(message: str) -> Refusal:
    """QueryBuilderDeserializeInvalidNode."""
    return Refusal(400, "0x8004111C", message)


def invalid_alias(alias: str) -> Refusal:
    """QueryBuilderInvalid_Alias."""
    return Refusal(
        400,
        "0x80041109",
        f"Invalid character specified for alias: {alias}. Only characters within the ranges [A-Z], [a-z] or [0-9] or "
        "_ are allowed.  The first character may only be in the ranges [A-Z], [a-z] or _.",
    )


def unknown_alias(alias: str) -> Refusal:
    """QueryBuilderAlias_Does_Not_Exist; also for a link that a condition or an order names."""
    return Refusal(400, "0x8004110A", f"The alias '{alias}' does not exist in the query.")


def no_alias(name: str) -> Refusal:
    """QueryBuilderNoAlias."""
    return Refusal(400, "0x8004110B", f"FetchXML should have unique aliases: '{name}' has none.")


def not_positive(name: str) -> Refusal:
    """QueryBuilderValue_GreaterThanZero."""
    return Refusal(400, "0x8004110C", f"The value for '{name}' must be greater than zero.")


def invalid_operator(name: str) -> Refusal:
    """QueryBuilderInvalidConditionOperator."""
    return Refusal(400, "0x80041120", f"The condition operator '{name}' is not valid.")


def invalid_argument(message: str) -> Refusal:
    """InvalidArgument."""
    return Refusal(400, "0x80040203", message)
