"""Definitions, solutions and metadata of an environment, through the dispatcher every request goes through."""

import base64
import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from flitstack.emulator.instance import Instance, Options
from flitstack.emulator.messages import Answer, Caller, Request
from flitstack.emulator.metadata.router import MetadataOptions

CRM = "Microsoft.Dynamics.CRM."
BASE = "http://localhost/api/data/v9.2/"
# What belongs to the environment, not to the definition.
_OWN = frozenset({"ObjectTypeCode"})


@dataclass
class Maker:
    """One environment and its administrator."""

    instance: Instance

    @classmethod
    def open(cls, directory: Path, metadata: MetadataOptions | None = None) -> "Maker":
        return cls(Instance(Options(directory, metadata=metadata or MetadataOptions())))

    def send(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        path, _, query = path.partition("?")
        options = dict(part.split("=", 1) for part in query.split("&") if part)
        text = b"" if body is None else orjson.dumps(body)
        request = Request(method, path, options, headers or {}, text, BASE)
        return self.instance.dispatcher.answer(request, Caller(self.instance.environment.application_user))

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status == 200, answer.body
        return orjson.loads(answer.body or b"null")

    def post(self, path: str, body: object, solution: str = "") -> Answer:
        return self.send("POST", path, body, {"mscrm.solutionuniquename": solution} if solution else {})

    def make(self, path: str, body: object, solution: str = "") -> Any:
        """POST that must succeed; the JSON of its answer, or the URL of what it made."""
        answer = self.post(path, body, solution)
        assert answer.status in {200, 201, 204}, answer.body
        return orjson.loads(answer.body) if answer.body else answer.headers.get("OData-EntityId", "").removeprefix(BASE)

    def refusal(self, answer: Answer) -> tuple[int, str]:
        return answer.status, orjson.loads(answer.body or b"{}")["error"]["code"]

    def solution(self, name: str = "Sample", prefix: str = "new", option_prefix: int = 72700) -> None:
        """A publisher and an unmanaged solution."""
        publisher = self.make("publishers", {
            "uniquename": f"{name}publisher", "friendlyname": f"{name} publisher", "customizationprefix": prefix,
            "customizationoptionvalueprefix": option_prefix,
        })  # fmt: skip
        body = {"uniquename": name, "friendlyname": name, "version": "1.0.0.0"}
        self.make("solutions", {**body, "publisherid@odata.bind": f"/{publisher}"})

    def table(self, name: str, solution: str = "", **more: object) -> None:
        primary = column("String", f"{name.partition('_')[0]}_Name", MaxLength=200, IsPrimaryName=True)
        body = {
            "SchemaName": name, "DisplayName": label(name), "DisplayCollectionName": label(f"{name}s"),
            "OwnershipType": "UserOwned", "HasNotes": False, "HasActivities": False, "Attributes": [primary],
        }  # fmt: skip
        self.make("EntityDefinitions", {**body, **more}, solution)

    def column(self, table: str, kind: str, name: str, solution: str = "", **more: object) -> None:
        self.make(f"EntityDefinitions(LogicalName='{table}')/Attributes", column(kind, name, **more), solution)

    def export(self, name: str = "Sample", **more: object) -> bytes:
        return base64.b64decode(self.make("ExportSolution", {"SolutionName": name, "Managed": False, **more})[
            "ExportSolutionFile"
        ])  # fmt: skip

    def load(self, data: bytes, **more: object) -> Answer:
        body = {"CustomizationFile": base64.b64encode(data).decode(), "OverwriteUnmanagedCustomizations": True}
        return self.post("ImportSolution", {**body, "PublishWorkflows": False, **more})

    def definition(self, table: str) -> dict[str, Any]:
        """Everything the metadata API says of a table; of relationships, those with it as the referencing side."""
        root = f"EntityDefinitions(LogicalName='{table}')"
        options = "?$expand=OptionSet,GlobalOptionSet"
        found: dict[str, Any] = {name: value for name, value in self.get(root).items() if name not in _OWN}
        attributes = self.get(f"{root}/Attributes")["value"]
        choices = ("Picklist", "MultiSelectPicklist", "Boolean", "State", "Status")
        for kind in choices:
            attributes += self.get(f"{root}/Attributes/{CRM}{kind}AttributeMetadata{options}")["value"]
        found["Attributes"] = attributes
        for members in ("Keys", "ManyToOneRelationships", "ManyToManyRelationships"):
            found[members] = self.get(f"{root}/{members}")["value"]
        return found

    def choice(self, name: str) -> Any:
        return self.get(f"GlobalOptionSetDefinitions(Name='{name}')")


def label(text: str, **others: str) -> dict[str, Any]:
    """A label in English; `de="x"` adds German."""
    codes = {"de": 1031, "fr": 1036, "ja": 1041}
    texts = [{"Label": text, "LanguageCode": 1033}]
    return {"LocalizedLabels": [*texts, *({"Label": t, "LanguageCode": codes[c]} for c, t in others.items())]}


def column(kind: str, name: str, **more: object) -> dict[str, Any]:
    """The definition of a column."""
    return {"@odata.type": f"{CRM}{kind}AttributeMetadata", "SchemaName": name, "DisplayName": label(name), **more}


def options(*pairs: tuple[int, str]) -> dict[str, Any]:
    """A local choice."""
    found = [{"Value": value, "Label": label(text)} for value, text in pairs]
    return {"OptionSet": {"IsGlobal": False, "OptionSetType": "Picklist", "Options": found}}


def lookup(child: str, parent: str, name: str, **more: object) -> dict[str, Any]:
    """A 1:N relationship with its lookup."""
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": f"new_{parent}_{child}_{name}"[:100],
        "ReferencedEntity": parent,
        "ReferencingEntity": child,
        "CascadeConfiguration": {"Delete": "RemoveLink", "Assign": "NoCascade"},
        "Lookup": {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": name, "DisplayName": label(name)},
        **more,
    }


def many(first: str, second: str, name: str) -> dict[str, Any]:
    """A N:N relationship."""
    return {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
        "SchemaName": name,
        "Entity1LogicalName": first,
        "Entity2LogicalName": second,
        "IntersectEntityName": name.lower(),
    }


def documents(data: bytes) -> dict[str, str]:
    """The files of a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def repacked(data: bytes, **changed: str | None) -> bytes:
    """The zip with `solution` or `customizations` replaced, left out when None."""
    files = documents(data)
    for name, text in changed.items():
        files.pop(f"{name}.xml")
        if text is not None:
            files[f"{name}.xml"] = text
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def tree(text: str) -> ET.Element:
    return ET.fromstring(text.encode())


def differences(left: Any, right: Any, place: str = "") -> list[str]:
    """Where two JSON documents part; a list of few words, for a message that can be read."""
    if isinstance(left, dict) and isinstance(right, dict):
        found = [f"{place}.{name} is on one side only" for name in left.keys() ^ right.keys()]
        return found + [
            d for name in left.keys() & right.keys() for d in differences(left[name], right[name], f"{place}.{name}")
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            d for at, pair in enumerate(zip(left, right, strict=True)) for d in differences(*pair, f"{place}[{at}]")
        ]
    return [] if left == right else [f"{place}: {str(left)[:300]} != {str(right)[:300]}"]
