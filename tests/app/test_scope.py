"""What a project says of its export: the customer's headers count before the pack's, mistakes name what is known."""

import pytest

from flitstack.app.scope import fit_pack
from flitstack.errors import UsageError
from flitstack.packs.read import load_pack
from flitstack.staging.recognise import match_columns

PACK = load_pack("klipy")


def test_a_header_given_to_one_field_is_no_other_fields_any_more() -> None:
    contact = fit_pack(PACK, {}, {"Contact": {"Position": "Notes", "Work address": "Email"}}, [], {}).objects["Contact"]
    found = match_columns(["position", "work-address", "Mail", "Job title"], contact)
    assert {place: field.name for place, field in found.fields.items()} == {0: "Notes", 1: "Email", 3: "Title"}


def test_what_the_pack_does_not_have_is_told_in_one_go() -> None:
    with pytest.raises(UsageError) as error:
        fit_pack(
            PACK,
            {"Firma": ["f.csv"]},
            {"Contact": {"Mail": "E-mail", "Title": "Notes"}, "Kontakt": {}},
            ["Deals"],
            {"People": ["Phone"]},
        )
    assert [(problem.where, problem.what) for problem in error.value.problems] == [
        ("flitstack.yaml, files", "files names 'Firma', which is no object"),
        ("flitstack.yaml, headers", "headers names 'Kontakt', which is no object"),
        ("flitstack.yaml, absent or awaited", "absent or awaited names 'Deals', which is no object"),
        ("flitstack.yaml, suppress", "suppress names 'People', which is no object"),
        ("flitstack.yaml, headers.Contact.Mail", "Contact has no field 'E-mail'"),
        ("flitstack.yaml, headers.Contact.Title", "'Title' is the name of the field Title itself"),
    ]
    assert all(problem.do for problem in error.value.problems)
