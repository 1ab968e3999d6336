"""Addresses of queries: percent-encoding against the standard library's."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from flitstack.destinations.dataverse.client import QUERY_SAFE, query_url


@given(st.text(min_size=1))
def test_an_option_is_encoded_as_the_standard_library_would(value: str) -> None:
    if not any("\ud800" <= letter <= "\udfff" for letter in value):
        assert query_url("accounts", filter=value) == f"accounts?$filter={quote(value, safe=QUERY_SAFE)}"
