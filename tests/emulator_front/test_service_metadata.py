"""`$metadata`: read by an OData client that knows nothing of the emulator, and closed in itself."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from front_wire import Wire
from odata import ODataService  # type: ignore[import-untyped]

from flitstack.catalogue.read import load_catalogue

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
CRM = "Microsoft.Dynamics.CRM."


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


@pytest.fixture(scope="module")
def grown(shared_wire: Wire) -> Wire:
    """An environment with a table of its own, between account and contact."""
    primary = {"@odata.type": f"{CRM}StringAttributeMetadata", "SchemaName": "new_Name", "IsPrimaryName": True}
    body = {"SchemaName": "new_Thing", "Attributes": [primary], "DisplayName": label('A "thing" & more')}
    assert shared_wire.post("EntityDefinitions", body).status == 204
    lookup = {"SchemaName": "new_Buyer", "DisplayName": label("Buyer")}
    one = {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata", "SchemaName": "new_account_thing",
        "ReferencedEntity": "account", "ReferencingEntity": "new_thing", "Lookup": lookup,
    }  # fmt: skip
    assert shared_wire.post("RelationshipDefinitions", one).status == 204
    many = {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata", "SchemaName": "new_thing_contact",
        "Entity1LogicalName": "new_thing", "Entity2LogicalName": "contact", "IntersectEntityName": "new_thing_contact",
    }  # fmt: skip
    assert shared_wire.post("RelationshipDefinitions", many).status == 204
    return shared_wire


@pytest.fixture(scope="module")
def client(grown: Wire) -> Iterator[Any]:
    service = ODataService(f"{grown.url}/api/data/v9.2/", reflect_entities=True, quiet_progress=True)
    yield service
    service.default_context.connection.session.close()


@pytest.fixture(scope="module")
def document(grown: Wire) -> ET.Element:
    reply = grown.send("GET", "$metadata?annotations=true")
    assert reply.headers["content-type"].startswith("application/xml")
    return ET.fromstring(reply.body)


def navigations(client: Any, entity_set: str) -> dict[str, str]:
    found = client.entities[entity_set].__odata_schema__["navigation_properties"]
    return {nav["name"]: nav["type"] for nav in found}


def test_a_foreign_client_finds_every_entity_set(client: Any, grown: Wire) -> None:
    named = {row["name"] for row in grown.get("")["value"]}
    assert set(client.entities) == named
    assert {table.entity_set for table in load_catalogue().tables.values()} | {"new_things"} == named


def test_a_foreign_client_finds_the_navigation_of_every_table(client: Any) -> None:
    catalogue = load_catalogue()
    for table in catalogue.tables.values():
        found = navigations(client, table.entity_set)
        for column in table.columns.values():
            is_plain = column.type == "Lookup" and column.is_web_api
            for target, name in column.navigation.items() if is_plain else ():
                assert target not in catalogue.tables or name in found, f"{table.name}.{name}"


def test_a_foreign_client_finds_the_relationships_of_a_custom_table(client: Any) -> None:
    found = navigations(client, "new_things")
    assert found["new_Buyer"].endswith("account")
    assert found["new_thing_contact"].startswith("Collection(")
    assert navigations(client, "accounts")["new_account_thing"].startswith("Collection(")


def test_a_foreign_client_reads_and_filters_rows(client: Any, grown: Wire) -> None:
    for number in (1, 2):
        assert grown.post("new_things", {"new_name": f"row {number}"}).status == 204
    thing = client.entities["new_things"]
    (row,) = client.query(thing).filter(thing.new_name == "row 2").all()
    assert row.new_name == "row 2"


def test_every_name_in_the_document_is_defined_in_it(document: ET.Element) -> None:
    types = {t.get("Name"): t for tag in ("EntityType", "ComplexType") for t in document.iter(f"{EDM}{tag}")}
    assert len(types) == sum(1 for tag in ("EntityType", "ComplexType") for _ in document.iter(f"{EDM}{tag}"))
    for element in document.iter():
        for attribute in ("Type", "BaseType", "EntityType"):
            name = element.get(attribute, "").removeprefix("Collection(").removesuffix(")")
            prefix, _, local = name.rpartition(".")
            assert prefix in {"", "Edm"} or (prefix in {"mscrm", CRM[:-1]} and local in types), name


def test_bindings_lead_to_sets_and_properties_are_named_once(document: ET.Element) -> None:
    types = {t.get("Name"): t for t in document.iter(f"{EDM}EntityType")}
    sets = {s.get("Name") for s in document.iter(f"{EDM}EntitySet")}

    def members(name: str) -> list[str]:
        own = [str(child.get("Name")) for child in types[name] if child.tag != f"{EDM}Key" and child.get("Name")]
        base = str(types[name].get("BaseType", "")).rpartition(".")[2]
        return own + (members(base) if base else [])

    for entity_set in document.iter(f"{EDM}EntitySet"):
        names = members(str(entity_set.get("EntityType")).rpartition(".")[2])
        assert len(names) == len(set(names)), entity_set.get("Name")
        for binding in entity_set.iter(f"{EDM}NavigationPropertyBinding"):
            assert binding.get("Path") in names
            assert binding.get("Target") in sets


def test_annotations_say_what_no_client_sets(document: ET.Element, grown: Wire) -> None:
    account = next(t for t in document.iter(f"{EDM}EntityType") if t.get("Name") == "account")
    terms = {
        str(p.get("Name")): {str(a.get("Term")).rpartition(".")[2] for a in p.iter(f"{EDM}Annotation")}
        for p in account.iter(f"{EDM}Property")
    }
    assert "Computed" in terms["createdon"] & terms["_primarycontactid_value"] & terms["versionnumber"]
    assert terms["overriddencreatedon"] >= {"Immutable"}
    assert not {"Computed", "Immutable"} & terms["name"]
    plain = grown.send("GET", "$metadata").body
    assert b"<Annotation" not in plain
    text = next(t for t in document.iter(f"{EDM}EntityType") if t.get("Name") == "new_thing").findall(
        f"{EDM}Annotation"
    )
    assert [note.get("String") for note in text] == ['A "thing" & more']


@pytest.mark.shared
def test_navigation_names_are_the_published_ones(client: Any, shared: Path) -> None:
    catalogue = load_catalogue().tables
    published = json.loads((shared / "reference" / "dataverse" / "relationships.json").read_text())["one_to_many"]
    checked = 0
    for one in published:
        ends = one["referencing"], one["referenced"]
        if not set(ends) <= catalogue.keys() or not one.get("nav"):
            continue
        column = catalogue[ends[0]].columns.get(one["referencing_attr"])
        if column is None or not column.is_web_api or column.type not in {"Lookup", "Customer"}:
            continue
        base = navigations(client, "activitypointers") if catalogue[ends[0]].is_activity else {}
        assert one["nav"] in navigations(client, catalogue[ends[0]].entity_set) | base, one["name"]
        checked += 1
    assert checked > 700
