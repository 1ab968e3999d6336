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
# Complex types: answers, and Label with what it is made of.
_RESPONSES: Mapping[str, Parameters] = {
    "LocalizedLabel": {"Label": "Edm.String", "LanguageCode": _INT, "IsManaged": "Edm.Boolean"},
    "Label": {
        "LocalizedLabels": "Collection(mscrm.LocalizedLabel)",
        "UserLocalizedLabel": "mscrm.LocalizedLabel",
    },
    "WhoAmIResponse": {"BusinessUnitId": _GUID, "UserId": _GUID, "OrganizationId": _GUID},
    "RetrieveVersionResponse": {"Version": "Edm.String"},
    "InsertOptionValueResponse": {"NewOptionValue": _INT},
    "InsertStatusValueResponse": {"NewOptionValue": _INT},
    "CreateMultipleResponse": {"Ids": f"Collection({_GUID})"},
    "ExportSolutionResponse": {"ExportSolutionFile": "Edm.Binary"},
    "ExportSolutionAsyncResponse": {"AsyncOperationId": _GUID, "ExportJobId": _GUID},
    "DownloadSolutionExportDataResponse": {"ExportSolutionFile": "Edm.Binary"},
    "ImportSolutionAsyncResponse": {"ImportJobKey": "Edm.String", "AsyncOperationId": _GUID},
    "AddSolutionComponentResponse": {"id": _GUID},
}
_CHOICE = ("OptionSetName", "EntityLogicalName", "AttributeLogicalName", "SolutionUniqueName")
_OPTION: Parameters = {**dict.fromkeys(_CHOICE, "Edm.String"), "Value": _INT, "Label": "mscrm.Label"}
_EXPORT: Parameters = {"SolutionName": "Edm.String", "Managed": "Edm.Boolean"}
_IMPORT: Parameters = {
    "OverwriteUnmanagedCustomizations": "Edm.Boolean",
    "PublishWorkflows": "Edm.Boolean",
    "CustomizationFile": "Edm.Binary",
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
    "InsertOptionValue": _OPTION,
    "InsertStatusValue": {**_OPTION, "StateCode": _INT},
    "DeleteOptionValue": {name: _OPTION[name] for name in _CHOICE} | {"Value": _INT},
    "OrderOption": {name: _OPTION[name] for name in _CHOICE} | {"Values": f"Collection({_INT})"},
    "ExportSolution": _EXPORT,
    "ExportSolutionAsync": _EXPORT,
    "DownloadSolutionExportData": {"ExportJobId": _GUID},
    "ImportSolution": {**_IMPORT, "ImportJobId": _GUID},
    "ImportSolutionAsync": _IMPORT,
    "AddSolutionComponent": {
        "ComponentId": _GUID,
        "ComponentType": _INT,
        "SolutionUniqueName": "Edm.String",
        "AddRequiredComponents": "Edm.Boolean",
        "DoNotIncludeSubcomponents": "Edm.Boolean",
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
        if f"{name}Response" in _RESPONSES:
            yield f'<ReturnType Type="mscrm.{name}Response" Nullable="false" />'
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
