"""Functions without a table: who asks, which version, how many rows."""

from collections.abc import Callable

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.query.syntax import Listing, parse_value
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.stamps import owner_of
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Work

VERSION = "9.2.25091.00140"


def _who_am_i(work: Work, request: Request, segment: Segment) -> Answer:
    owner = owner_of(work, work.user, "systemuser")
    body = {
        "@odata.context": context(request, "Microsoft.Dynamics.CRM.WhoAmIResponse"),
        "BusinessUnitId": guid_text(owner.unit),
        "UserId": guid_text(work.user),
        "OrganizationId": guid_text(work.store.organization),
    }
    return json_answer(body)


def _version(work: Work, request: Request, segment: Segment) -> Answer:
    body = {"@odata.context": context(request, "Microsoft.Dynamics.CRM.RetrieveVersionResponse"), "Version": VERSION}
    return json_answer(body)


def _organization(work: Work, request: Request, segment: Segment) -> Answer:
    detail = {
        "OrganizationId": guid_text(work.store.organization),
        "FriendlyName": "flitstack emulator",
        "OrganizationVersion": VERSION,
        "UrlName": "emulator",
        "UniqueName": "emulator",
        "State": "Enabled",
    }
    body = {
        "@odata.context": context(request, "Microsoft.Dynamics.CRM.RetrieveCurrentOrganizationResponse"),
        "Detail": detail,
    }
    return json_answer(body)


def _available_languages(work: Work, request: Request, segment: Segment) -> Answer:
    """The emulator has one language, the organization's own. Source: Learn, "RetrieveAvailableLanguages Function"."""
    row = work.store.connection.execute("SELECT languagecode FROM organization").fetchone()
    name = f"Microsoft.Dynamics.CRM.{segment.name}Response"
    return json_answer({"@odata.context": context(request, name), "LocaleIds": [row[0] if row and row[0] else 1033]})


def _total_record_count(work: Work, request: Request, segment: Segment) -> Answer:
    text = (segment.arguments or "").partition("=")[2].strip()
    text = request.query.get(text, "") if text.startswith("@") else text
    node = parse_value(text)
    if not isinstance(node, Listing):
        raise Refusal(400, "0x80060888", "EntityNames must be a list of logical names.")
    names = [str(item.value) for item in node.items]
    counts = [_count(work, name) for name in names]
    body = {
        "@odata.context": context(request, "Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse"),
        "EntityRecordCountCollection": {"Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts},
    }
    return json_answer(body)


def _count(work: Work, name: str) -> int:
    model = work.store.schema.tables.get(name)
    if model is None:
        raise Refusal(404, "0x8004024A", f"Could not find an entity with name {name}.")
    row = work.store.connection.execute(f"SELECT count(*) FROM {work.store.ensure(model)}").fetchone()
    return int(row[0])


FUNCTIONS: dict[str, Callable[[Work, Request, Segment], Answer]] = {
    "WhoAmI": _who_am_i,
    "RetrieveVersion": _version,
    "RetrieveCurrentOrganization": _organization,
    "RetrieveAvailableLanguages": _available_languages,
    "RetrieveTotalRecordCount": _total_record_count,
}
