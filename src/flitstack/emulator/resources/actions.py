"""Actions of the data API by name: unbound ones, those bound to a row, those bound to a collection of rows."""

from collections.abc import Callable, Mapping

from flitstack.emulator.jobs.bulk_delete import start_bulk_delete
from flitstack.emulator.messages import Answer, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.resources import roles
from flitstack.emulator.resources.closing import CLOSINGS, close
from flitstack.emulator.resources.conversions import CONVERSIONS, LOCKS, convert, lock, revise
from flitstack.emulator.resources.file_blocks import BLOCK_ACTIONS
from flitstack.emulator.resources.merging import merge
from flitstack.emulator.resources.qualifying import qualify
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work

Unbound = Callable[[Work, Request, Segment], Answer]
OnRow = Callable[[Work, Request, EntityModel, bytes], Answer]

ACTIONS: dict[str, Unbound] = {
    **dict.fromkeys(CLOSINGS, close),
    **dict.fromkeys(CONVERSIONS, convert),
    **dict.fromkeys(LOCKS, lock),
    "ReviseQuote": revise,
    "Merge": merge,
    **BLOCK_ACTIONS,
    "BulkDelete": start_bulk_delete,
}
# (table, action)
ROW_ACTIONS: Mapping[tuple[str, str], OnRow] = {("lead", "QualifyLead"): qualify, **roles.ACTIONS}
ROW_FUNCTIONS: Mapping[tuple[str, str], OnRow] = roles.ROW_FUNCTIONS
COLLECTION_ACTIONS: Mapping[tuple[str, str], Unbound] = {("salesorder", "FulfillSalesOrder"): close}
