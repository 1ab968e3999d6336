"""`sdkmessagefilters`: which messages a table takes, answered from the table's own list.

Source: Microsoft Learn, "Use bulk operation messages" (the query clients send), "SdkMessageFilter table".
"""

from functools import lru_cache

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Request
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.selection import matching, project, read_selection

BULK = frozenset({"CreateMultiple", "UpdateMultiple", "UpsertMultiple"})


def message_filters(live: Live, request: Request, without_bulk: frozenset[str]) -> Answer:
    """The filters that match; `sdkmessageid/name` may be filtered on and expanded."""
    documents = []
    for name, model in live.environment.tables.items():
        off = BULK if name in without_bulk else frozenset()
        for message in sorted(model.table.messages - off):
            documents.append(_filter(name, message))
    selection = read_selection(request.query)
    value = [_chosen(document, request) for document in matching(documents, selection)]
    return json_answer({"@odata.context": f"{request.base_url}$metadata#sdkmessagefilters", "value": value})


@lru_cache(maxsize=1 << 14)
def _filter(table: str, message: str) -> Json:
    """Shared by all answers: nobody may change it."""
    message_id = metadata_id("message", message)
    return {
        "sdkmessagefilterid": metadata_id("message filter", f"{table}.{message}"),
        "primaryobjecttypecode": table,
        "secondaryobjecttypecode": "none",
        "_sdkmessageid_value": message_id,
        "sdkmessageid": {"sdkmessageid": message_id, "name": message},
    }


def _chosen(document: Json, request: Request) -> Json:
    chosen = project(document, read_selection(request.query), {"sdkmessageid": lambda: document["sdkmessageid"]})
    return {"sdkmessagefilterid": document["sdkmessagefilterid"], **chosen}
