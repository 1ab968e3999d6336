"""What an environment answers, read without losing a digit or tripping over a word that is new."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Column
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.decoding import read_page, to_batch
from flitstack.destinations.dataverse.facts import _privileges

ACCOUNT = load_catalogue().tables["account"]
NOBODY = UUID(int=1)


def read_back(column: Column, text: str) -> str:
    """A number as the service writes it, as we read it."""
    table = replace(ACCOUNT, columns={**ACCOUNT.columns, column.name: column})
    body = b'{"value":[{"accountid":"%s","%s":%s}]}' % (str(NOBODY).encode(), column.name.encode(), text.encode())
    rows, _ = read_page(body, table, [column.name])
    return str(to_batch(rows, table, [column.name]).to_pylist()[0][column.name])


@given(st.integers(-(10**11) * 10**10, 10**11 * 10**10), st.integers(0, 10), st.booleans())
def test_every_decimal_that_a_column_can_hold_is_read_exactly(scaled: int, precision: int, is_told: bool) -> None:
    value = Decimal(scaled).scaleb(-10).quantize(Decimal(1).scaleb(-precision))
    column = Column("new_rate", "new_Rate", "Decimal", precision=precision if is_told else None)
    assert Decimal(read_back(column, format(value, "f"))) == value


@pytest.mark.parametrize("text", ["1234567.1234567891", "1234567.1234567892", "99999999999.9999999999"])
def test_neighbours_in_the_last_digit_stay_apart(text: str) -> None:
    assert read_back(Column("new_rate", "new_Rate", "Decimal", precision=10), text) == text


@given(st.integers(-(10**15), 10**15))
def test_money_is_read_exactly_also_where_its_currency_has_more_decimals_than_its_column(scaled: int) -> None:
    value = Decimal(scaled).scaleb(-4)
    column = Column("revenue", "Revenue", "Money", precision=2, precision_source=2)
    assert Decimal(read_back(column, format(value, "f"))) == value


class Answers:
    """One answer to whatever is asked."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.body = orjson.dumps(document)

    async def get(self, path: str) -> "Answers":
        return self

    def json(self) -> Any:
        return orjson.loads(self.body)


@pytest.mark.parametrize("depths", [("RecordFilter", "Local"), ("Local", "RecordFilter")])
def test_a_privilege_for_single_records_reaches_least(depths: tuple[str, str]) -> None:
    told = [{"PrivilegeName": "prvReadAccount", "Depth": depth} for depth in depths]
    client: Any = Answers({"RolePrivileges": told})
    assert asyncio.run(_privileges(client, NOBODY)) == {"prvReadAccount": "Local"}


def test_an_address_is_written_in_lower_case_as_the_service_writes_it_in_next_links() -> None:
    assert Client("https://Contoso.CRM4.dynamics.com/").url == "https://contoso.crm4.dynamics.com"
