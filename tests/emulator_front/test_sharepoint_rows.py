"""SharePoint sites and document locations are rows like others; no document is behind them.

Source: Microsoft Learn, "Actions on SharePoint location records".
"""

from front_wire import Wire


def test_locations_hang_on_a_site_and_on_the_row_they_are_about(shared_wire: Wire) -> None:
    wire = shared_wire
    site = wire.post("sharepointsites", {"name": "team", "absoluteurl": "https://x.sharepoint.com/sites/team"})
    assert site.status == 204, site.body
    account = wire.post("accounts", {"name": "with documents"}).entity
    folder = {
        "name": "Documents of the account",
        "relativeurl": "account/with documents",
        "parentsiteorlocation_sharepointsite@odata.bind": site.entity,
        "regardingobjectid_account@odata.bind": account,
    }
    location = wire.post("sharepointdocumentlocations", folder)
    assert location.status == 204, location.body
    child = {
        "name": "below",
        "relativeurl": "contracts",
        "parentsiteorlocation_sharepointdocumentlocation@odata.bind": location.entity,
    }
    assert wire.post("sharepointdocumentlocations", child).status == 204
    shown = wire.get(f"{location.entity}?$expand=parentsiteorlocation_sharepointsite($select=name)")
    assert shown["parentsiteorlocation_sharepointsite"]["name"] == "team"
    assert shown["_regardingobjectid_value"] == account[9:-1]
    assert shown["relativeurl"] == "account/with documents"
    found = wire.get(f"sharepointdocumentlocations?$filter=_regardingobjectid_value eq {account[9:-1]}")["value"]
    assert [row["name"] for row in found] == ["Documents of the account"]
    assert wire.post("sharepointdocumentlocations", {"relativeurl": "x" * 256, "name": "x"}).code == "0x80044331"
    assert wire.post("sharepointdocumentlocations", {"relativeurl": "nameless"}).code == "0x80040200"


def test_the_url_function_of_a_location_is_refused_by_name(shared_wire: Wire) -> None:
    location = shared_wire.post("sharepointdocumentlocations", {"name": "a", "absoluteurl": "https://x.y/z"}).entity
    reply = shared_wire.send("GET", f"{location}/Microsoft.Dynamics.CRM.RetrieveAbsoluteAndSiteCollectionUrl()")
    assert reply.status == 501
    assert "RetrieveAbsoluteAndSiteCollectionUrl" in reply.json()["error"]["message"]
