"""QualifyLead: an account, a contact and an opportunity out of a lead, as its flags say.

Source: Microsoft Learn, "QualifyLead Action". Which columns are carried over is an attribute map of the environment;
here columns of the same name, and the renamed ones of the tables below.
"""

from collections.abc import Mapping

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.resources.parameters import body_of, flag, number, optional_row
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.copying import copied, insert
from flitstack.emulator.rows.payload import Draft
from flitstack.emulator.rows.references import Target
from flitstack.emulator.rows.states import wrong_status
from flitstack.emulator.rows.write import write_change
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Values, Work

_TYPE = "Microsoft.Dynamics.CRM."
_QUALIFIED = 1
# Column of the new row -> column of the lead.
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "account": {"name": "companyname"},
    "contact": {},
    "opportunity": {"name": "subject", "estimatedvalue": "estimatedamount"},
}
# They mean something else on the lead, or are set below.
_LEFT: Mapping[str, frozenset[str]] = {
    "account": frozenset({"parentaccountid"}),
    "contact": frozenset({"parentcustomerid"}),
    "opportunity": frozenset({"estimatedvalue", "customerid", "parentaccountid", "parentcontactid", "name"}),
}


def qualify(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
    """200 with references to what was made; the lead is qualified and points to it."""
    body = body_of(request)
    flags = {table: flag(body, f"Create{table.capitalize()}") for table in ("account", "contact", "opportunity")}
    status = number(body, "Status")
    if body.get("ProcessInstanceId") is not None:
        raise not_implemented("ProcessInstanceId of QualifyLead")
    lead = work.read(model, id_)
    if lead["statecode"] != 0:
        raise Refusal(400, "0x80040519", "The lead is already closed.")
    qualified = next(s for s in model.table.states if s.value == _QUALIFIED)
    status = qualified.default_status if status == -1 else status
    if status not in {s.value for s in qualified.statuses}:
        raise wrong_status(model, id_, qualified, status)
    made = _people(work, model, lead, flags)
    update: Values = {"statecode": _QUALIFIED, "statuscode": status}
    for table, new in made.items():
        update[f"parent{table}id"] = new
    if flags["opportunity"]:
        made["opportunity"] = _opportunity(work, model, lead | update, body)
        update["qualifyingopportunityid"] = made["opportunity"]
    write_change(Change(work, model, id_, update, lead))
    value = [
        {"@odata.type": f"#{_TYPE}{table}", work.store.schema.tables[table].table.id_column: guid_text(new)}
        for table, new in made.items()
    ]
    return json_answer({"@odata.context": context(request, f"Collection({_TYPE}crmbaseentity)"), "value": value})


def _people(work: Work, model: EntityModel, lead: Values, flags: Mapping[str, bool]) -> dict[str, bytes]:
    """The new account and contact; the contact belongs to the account, and is its primary contact."""
    tables, made = work.store.schema.tables, dict[str, bytes]()
    if flags["account"]:
        made["account"] = insert(work, tables["account"], _values(model, lead, tables["account"]))
    if flags["contact"]:
        values = _values(model, lead, tables["contact"])
        company = made.get("account") or lead.get("parentaccountid")
        if isinstance(company, bytes):
            _point(tables["contact"], values, "parentcustomerid", Target(tables["account"], company))
        made["contact"] = insert(work, tables["contact"], values)
    if len(made) == 2:
        account = tables["account"]
        row = work.read(account, made["account"])
        write_change(Change(work, account, made["account"], {"primarycontactid": made["contact"]}, row))
    return made


def _values(model: EntityModel, lead: Values, target: EntityModel) -> Values:
    values = copied(model, lead, target, _LEFT[target.name])
    for own, theirs in _RENAMED[target.name].items():
        if lead.get(theirs) is not None:
            values[own] = lead[theirs]
    values["originatingleadid"] = lead["leadid"]
    return values


def _opportunity(work: Work, model: EntityModel, lead: Values, body: Mapping[str, object]) -> bytes:
    """An opportunity of the given customer, else of the lead's account, else of its contact."""
    target = work.store.schema.tables["opportunity"]
    values = _values(model, lead, target)
    for table in ("account", "contact"):
        values[f"parent{table}id"] = lead.get(f"parent{table}id")
    customer = optional_row(work, body, "OpportunityCustomerId")
    if customer is None:
        for table in ("account", "contact"):
            id_ = lead.get(f"parent{table}id")
            if isinstance(id_, bytes):
                customer = Target(work.store.schema.tables[table], id_)
                break
    if customer is not None:
        _point(target, values, "customerid", customer)
    for parameter, column in (("OpportunityCurrencyId", "transactioncurrencyid"), ("SourceCampaignId", "campaignid")):
        given = optional_row(work, body, parameter)
        if given is not None:
            values[column] = given.id
    return insert(work, target, values)


def _point(model: EntityModel, values: Values, column: str, target: Target) -> None:
    if target.model.name not in model.columns[column].targets:
        raise Refusal(400, "0x80040504", f"A row of '{target.model.table.entity_set}' cannot be the customer.")
    Draft(values).point(model, column, target)
