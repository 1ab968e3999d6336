"""Reads of rows: pages with next links, by id in chunks, existence, many-to-many."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.dataverse.client import Client, query_url
from flitstack.destinations.dataverse.decoding import (
    LOOKUP_TABLE,
    PARTIES,
    needs_annotations,
    read_page,
    select_of,
    to_batch,
)
from flitstack.destinations.faults import Fatal

# Source: Microsoft Learn, "Page results" (at most 5,000 rows a page).
PAGE_ROWS = 5_000
# A URL holds 32,768 characters and a quoted id about 45 of them once encoded; the rest is left to a wide $select.
IDS_PER_READ = 400
# Rows with their files would make pages of gigabytes.
FILES_PER_PAGE = 5
_FILE_COLUMNS = frozenset({"documentbody", "body"})


async def read_rows(
    client: Client,
    table: Table,
    columns: Sequence[str],
    ids: Sequence[UUID] | None,
    source_keyed: str | None,
) -> AsyncIterator[pa.RecordBatch]:
    """See `Destination.rows`. Always yields at least one batch, so that readers know the columns."""
    has_files = bool(_FILE_COLUMNS.intersection(columns)) and table.name in {"annotation", "activitymimeattachment"}
    page_rows = FILES_PER_PAGE if has_files else PAGE_ROWS
    headers = {"Prefer": _prefer(table, columns, page_rows)}
    options = {"select": ",".join(select_of(table, columns))}
    if PARTIES in columns:
        members = "participationtypemask,addressused,_partyid_value"
        options["expand"] = f"{table.name}_activity_parties($select={members})"
    is_empty = True
    for condition in _conditions(table, ids, source_keyed, FILES_PER_PAGE if has_files else IDS_PER_READ):
        link: str | None = query_url(table.entity_set, **options, filter=condition)
        seen: set[str] = set()
        while link is not None:
            if link in seen:
                raise Fatal(f"paging through {table.name} comes back to a page already read")
            seen.add(link)
            rows, link = read_page((await client.get(link, headers)).body, table, columns)
            if rows:
                is_empty = False
                yield to_batch(rows, table, columns)
    if is_empty:
        yield to_batch([], table, columns)


def _prefer(table: Table, columns: Sequence[str], page_rows: int) -> str:
    prefer = f"odata.maxpagesize={page_rows}"
    if PARTIES in columns or needs_annotations(table, columns):
        prefer += f',odata.include-annotations="{LOOKUP_TABLE}"'
    return prefer


def _conditions(table: Table, ids: Sequence[UUID] | None, source_keyed: str | None, chunk: int) -> list[str]:
    keyed = f"{source_keyed} ne null" if source_keyed else ""
    if ids is None:
        return [keyed]
    unique = list(dict.fromkeys(ids))
    chunks = [_any_of(table, unique[at : at + chunk]) for at in range(0, len(unique), chunk)]
    return [f"{condition} and {keyed}" if keyed else condition for condition in chunks]


def _any_of(table: Table, ids: Sequence[UUID]) -> str:
    listed = ",".join(f'"{row}"' for row in ids)
    return f"Microsoft.Dynamics.CRM.In(PropertyName='{table.id_column}',PropertyValues=[{listed}])"


async def read_existing(client: Client, table: Table, ids: Sequence[UUID]) -> set[UUID]:
    """See `Destination.existing`."""
    found: set[UUID] = set()
    for condition in _conditions(table, ids, None, IDS_PER_READ):
        found |= await read_ids(client, table.entity_set, table.id_column, condition)
    return found


async def read_ids(client: Client, path: str, id_column: str, condition: str = "") -> set[UUID]:
    """Ids of all rows at a path: an entity set, or a collection below a row."""
    found: set[UUID] = set()
    link: str | None = query_url(path, select=id_column, filter=condition)
    while link is not None:
        page = (await client.get(link)).json()
        found.update(UUID(row[id_column]) for row in page["value"])
        link = page.get("@odata.nextLink")
    return found
