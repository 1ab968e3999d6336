"""Which columns tie a link-entity to its parent when the query leaves `from` or `to` out.

Source: Microsoft Learn, "link-entity element".
"""

from flitstack.catalogue.types import ManyToMany
from flitstack.emulator.messages import Refusal
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.sources import Source
from flitstack.emulator.query.fetchxml.tree import Link
from flitstack.emulator.schema import Schema


def tie_columns(schema: Schema, parent: Source, link: Link) -> tuple[str, str] | ManyToMany:
    """Columns (of the link, of the parent) that are equal, or the N:N relationship between both tables."""
    if link.column is not None and link.to is not None:
        return link.column, link.to
    if link.column is None and link.to is None:
        found = [
            many
            for many in schema.many_to_many.values()
            if {many.table1, many.table2} == {parent.name, link.name} and many.table1 != many.table2
        ]
        if len(found) == 1:
            return found[0]
        raise _no_relationship(parent, link)
    ties = {tie for tie in _one_to_many(schema, parent.name, link.name) if link.column in (None, tie[0])}
    ties = {tie for tie in ties if link.to in (None, tie[1])}
    if len(ties) != 1:
        raise _no_relationship(parent, link)
    return ties.pop()


def _one_to_many(schema: Schema, parent: str, linked: str) -> list[tuple[str, str]]:
    ties = []
    for one in schema.one_to_many.values():
        if (one.referencing, one.referenced) == (parent, linked):
            ties.append((one.referenced_column, one.referencing_column))
        if (one.referencing, one.referenced) == (linked, parent):
            ties.append((one.referencing_column, one.referenced_column))
    return ties


def _no_relationship(parent: Source, link: Link) -> Refusal:
    return faults.no_entity(
        f"No system many-to-many relationship exists between {parent.name} and {link.name}.  If attempting to link "
        "through a custom many-to-many relationship ensure that you provide the from and to attributes."
    )
