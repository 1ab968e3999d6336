"""Functions and actions of the service that the emulator carries out, for `$metadata`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operations:
    """Two parts of the CSDL document: definitions below the schema, imports below the container."""

    definitions: str
    imports: str


_GUID, _INT = "Edm.Guid", "Edm.Int32"
_RESPONSES: Mapping[str, Parameters] = {
    "WhoAmIResponse": {"BusinessUnitId": _GUID, "UserId": _GUID, "OrganizationId": _GUID},
    "RetrieveVersionResponse": {"Version": "Edm.String"},
    "InsertOptionValueResponse": {"NewOptionValue": _INT},
    "InsertStatusValueResponse": {"NewOptionValue": _INT},
    "CreateMultipleResponse": {"Ids": f"Collection({_GUID})"},
}
_FUNCTIONS: Mapping[str, str] = {"WhoAmI": "WhoAmIResponse", "RetrieveVersion": "RetrieveVersionResponse"}
_ACTIONS: Mapping[str, Parameters] = {
    "WinOpportunity": {"OpportunityClose": "mscrm.opportunityclose", "Status": _INT},
    "LoseOpportunity": {"OpportunityClose": "mscrm.opportunityclose", "Status": _INT},
    "WinQuote": {"QuoteClose": "mscrm.quoteclose", "Status": _INT},
    "CloseQuote": {"QuoteClose": "mscrm.quoteclose", "Status": _INT},
    "CancelSalesOrder": {"OrderClose": "mscrm.orderclose", "Status": _INT},
    "FulfillSalesOrder": {"OrderClose": "mscrm.orderclose", "Status": _INT},
    "CloseIncident": {"IncidentResolution": "mscrm.incidentresolution", "Status": _INT},
    "LockSalesOrderPricing": {"SalesOrderId": _GUID},
    "UnlockSalesOrderPricing": {"SalesOrderId": _GUID},
    "LockInvoicePricing": {"InvoiceId": _GUID},
    "UnlockInvoicePricing": {"InvoiceId": _GUID},
    "Merge": {
        "Target": "mscrm.crmbaseentity",
        "Subordinate": "mscrm.crmbaseentity",
        "UpdateContent": "mscrm.crmbaseentity",
        "PerformParentingChecks": "Edm.Boolean",
    },
    "PublishAllXml": {},
    "PublishXml": {"ParameterXml": "Edm.String"},
}
_BULK = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")


def _definitions() -> Iterator[str]:
    for name, properties in _RESPONSES.items():
        yield f'<ComplexType Name="{name}">'
        yield from (f'<Property Name="{p}" Type="{kind}" />' for p, kind in properties.items())
        yield "</ComplexType>"
    for name, response in _FUNCTIONS.items():
        yield f'<Function Name="{name}"><ReturnType Type="mscrm.{response}" Nullable="false" /></Function>'
    for name, parameters in _ACTIONS.items():
        yield f'<Action Name="{name}">'
        yield from (f'<Parameter Name="{p}" Type="{kind}" />' for p, kind in parameters.items())
        yield "</Action>"
    for name in _BULK:
        yield f'<Action Name="{name}" IsBound="true">'
        yield '<Parameter Name="entityset" Type="Collection(mscrm.crmbaseentity)" Nullable="false" />'
        yield '<Parameter Name="Targets" Type="Collection(mscrm.crmbaseentity)" Nullable="false" />'
        if name == "CreateMultiple":
            yield '<ReturnType Type="mscrm.CreateMultipleResponse" Nullable="false" />'
        yield "</Action>"


def _imports() -> Iterator[str]:
    for name in _FUNCTIONS:
        yield f'<FunctionImport Name="{name}" Function="Microsoft.Dynamics.CRM.{name}" />'
    for name in _ACTIONS:
        yield f'<ActionImport Name="{name}" Action="Microsoft.Dynamics.CRM.{name}" />'


OPERATIONS = Operations("".join(_definitions()), "".join(_imports()))
