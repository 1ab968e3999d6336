"""GUIDs of a column at once are the GUIDs one by one."""

from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from flitstack.emulator.guid_columns import guid_list, read_guids
from flitstack.emulator.values import guid_blob, guid_text

TEXTS = st.uuids().map(str) | st.uuids().map(lambda id_: str(id_).upper())


@given(texts=st.lists(TEXTS, min_size=1), before=st.sampled_from(["", "/accounts("]))
def test_columns_of_guids_are_read_and_written_as_single_ones(texts: list[str], before: str) -> None:
    joined = "".join(f"{before}{text})" for text in texts).encode()
    blobs = read_guids(joined, len(before) + 37, len(before))
    assert blobs == [guid_blob(text) for text in texts]
    assert orjson.loads(guid_list(blobs)) == [guid_text(blob) for blob in blobs] == [str(UUID(text)) for text in texts]


@given(text=st.text("0123456789abcdefg- {}", min_size=36, max_size=36), good=TEXTS)
def test_what_is_no_guid_alone_is_none_in_a_column(text: str, good: str) -> None:
    found = read_guids((good + text).encode(), 36, 0)
    one = guid_blob(text)
    assert found == (None if one is None else [guid_blob(good), one])
