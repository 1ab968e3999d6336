"""What an emulator does otherwise when it is asked to at the start."""

import shutil
import ssl
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from front_wire import running

from flitstack.emulator.instance import Options
from flitstack.emulator.messages import Switches
from flitstack.emulator.metadata.router import MetadataOptions
from flitstack.emulator.tls import CERTIFICATE, own_context

TEXT = "Microsoft.Dynamics.CRM.StringAttributeMetadata"
ACCOUNT = "EntityDefinitions(LogicalName='account')"


def test_a_new_key_can_stay_pending_for_a_while(tmp_path: Path) -> None:
    options = Options(tmp_path / "data", metadata=MetadataOptions(key_delay=timedelta(seconds=0.4)))
    with running(options) as wire:
        wire.post(f"{ACCOUNT}/Attributes", {"@odata.type": TEXT, "SchemaName": "new_Code", "MaxLength": 100})
        wire.post(f"{ACCOUNT}/Keys", {"SchemaName": "new_Key", "KeyAttributes": ["new_code"]})
        statuses = [wire.get(f"{ACCOUNT}/Keys")["value"][0]["EntityKeyIndexStatus"]]
        assert wire.send("GET", "accounts(new_code='x')").code == "0x80060890"
        while statuses[-1] != "Active" and len(statuses) < 5000:
            statuses.append(wire.get(f"{ACCOUNT}/Keys")["value"][0]["EntityKeyIndexStatus"])
        assert statuses[0] == "Pending"
        assert statuses[-1] == "Active"
        assert wire.send("GET", "accounts(new_code='x')").code == "0x80060891"


def test_tables_can_be_without_bulk_messages(tmp_path: Path) -> None:
    without = frozenset({"account"})
    options = Options(
        tmp_path / "data", switches=Switches(without_bulk=without), metadata=MetadataOptions(without_bulk=without)
    )
    with running(options) as wire:
        target = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"}
        assert wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [target]}).status >= 400
        query = "sdkmessagefilters?$filter=sdkmessageid/name eq 'CreateMultiple' and primaryobjecttypecode eq '{}'"
        assert wire.get(query.format("account"))["value"] == []
        assert len(wire.get(query.format("contact"))["value"]) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_https_is_answered_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    tls = own_context(tmp_path / "data", "127.0.0.1")
    with running(Options(tmp_path / "data"), tls) as wire:
        assert wire.url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "data" / CERTIFICATE))
        with urllib.request.urlopen(f"{wire.url}/api/data/v9.2/WhoAmI", context=trusting) as answer:
            assert b'"@odata.context":"https://127.0.0.1:' in answer.read()


def test_tables_are_made_by_the_action_of_microsofts_python_client(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        name = {
            "@odata.type": "Microsoft.Dynamics.CRM.ComplexStringAttributeMetadata", "SchemaName": "new_Name",
            "IsPrimaryName": True, "MaxLength": 200,
        }  # fmt: skip
        entity = {
            "@odata.type": "Microsoft.Dynamics.CRM.ComplexEntityMetadata", "SchemaName": "new_Widget",
            "OwnershipType": "UserOwned", "Attributes": [name],
        }  # fmt: skip
        assert wire.post("CreateEntities?SolutionUniqueName=Default", {"Entities": [entity]}).status == 204
        assert wire.post("new_widgets", {"new_name": "w"}).status == 204
