"""What a plan says of its large tables: whether their rows go in bulk requests, and why not."""

from collections.abc import Iterable, Iterator, Mapping

from flitstack.catalogue.types import Table
from flitstack.planning.document import SendTable

LARGE_ROWS = 50_000  # from here on it matters how the rows go
CREATE_MULTIPLE = "CreateMultiple"


def bulk_lines(tables: Iterable[SendTable], live: Mapping[str, Table | None]) -> Iterator[str]:
    """A line for every table with more than `LARGE_ROWS` rows. `live`: None for a table that the plan makes.

    Every custom table takes bulk requests. Source: Microsoft Learn, "Use bulk operation messages".
    """
    for send in tables:
        if send.rows <= LARGE_ROWS:
            continue
        table = live.get(send.table)
        what = f"bulk: {send.rows:,} rows of {send.table}"
        if send.has_parties:
            yield f"{what} go in batches of single rows: they have participants, which bulk requests do not take"
        elif table is not None and CREATE_MULTIPLE not in table.messages:
            yield f"{what} go in batches of single rows: the table takes no {CREATE_MULTIPLE}"
        else:
            yield f"{what} go in bulk requests ({CREATE_MULTIPLE})"
