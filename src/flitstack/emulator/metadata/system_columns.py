"""The columns the platform gives every custom table. Source: Microsoft Learn, "Create a custom table"."""

from flitstack.emulator.core import EntityModel

AUDIT = (
    "createdon", "createdby", "createdonbehalfby", "modifiedon", "modifiedby", "modifiedonbehalfby", "versionnumber",
    "importsequencenumber", "overriddencreatedon", "timezoneruleversionnumber", "utcconversiontimezonecode",
    "statecode", "statuscode",
)  # fmt: skip
OWNERSHIP = {"UserOwned": ("ownerid", "owningbusinessunit", "owningteam", "owninguser"), "OrganizationOwned": ()}
# Those that come with the first money column, and the owner of a table of the organization.
_FURTHER = ("transactioncurrencyid", "exchangerate", "organizationid")
_NAMES = frozenset((*AUDIT, *OWNERSHIP["UserOwned"], *_FURTHER))


def is_system_column(model: EntityModel, name: str) -> bool:
    """Whether a column is the platform's own: all of a standard table's, and those every custom table has."""
    return name not in model.custom_columns or name == model.table.id_column or (model.is_custom and name in _NAMES)
