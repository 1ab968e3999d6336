"""`solution.xml`: who publishes the solution, its version, what it holds and what it needs.

Source: Microsoft Learn, "Solution concepts" and "Customization solutions file schema"; solution component types:
Microsoft Learn, "SolutionComponent table".
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from flitstack.emulator.messages import Refusal
from flitstack.emulator.solutions.faults import invalid
from flitstack.emulator.solutions.texts import Json, add, add_labels, read_labels, required_text, text_of, whole_number

PACKAGE_VERSION = (9, 2)
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){1,3}")
TABLE, COLUMN, CHOICE, RELATIONSHIP, KEY = 1, 2, 9, 10, 14
WITH_ALL, WITHOUT_PARTS, SHELL = 0, 1, 2  # what of a table is in a solution


@dataclass(frozen=True, slots=True)
class Publisher:
    """`prefix` of names, `option_prefix` of option values."""

    unique_name: str
    prefix: str
    option_prefix: int
    labels: Json
    descriptions: Json = field(default_factory=dict)
    email: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A root component, by logical name (`table.column` for columns, `table.key` for keys)."""

    kind: int
    name: str
    behaviour: int = WITH_ALL


@dataclass(frozen=True, slots=True)
class Requirement:
    """A component that must be in the target: `parent` is the table of a column or key, `solution` its home there."""

    kind: int
    name: str
    needed_by: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What solution.xml says."""

    unique_name: str
    version: str
    is_managed: bool
    publisher: Publisher
    labels: Json
    descriptions: Json
    components: tuple[Component, ...] = ()
    requirements: tuple[Requirement, ...] = ()


def checked_version(text: str) -> str:
    """A version of two to four numbers; Refusal 400 InvalidSolutionVersion."""
    if not _VERSION.fullmatch(text):
        raise Refusal(400, "0x8004F01E", f"The solution version '{text}' is invalid: major.minor.build.revision.")
    return text


def write_manifest(manifest: Manifest, language: int) -> ET.Element:
    """The document."""
    root = ET.Element("ImportExportXml", version="9.2", SolutionPackageVersion="9.2", languagecode=str(language))
    root.set("generatedBy", "CrmLive")
    body = add(root, "SolutionManifest")
    add(body, "UniqueName", manifest.unique_name)
    add_labels(body, "LocalizedNames", "LocalizedName", manifest.labels)
    add_labels(body, "Descriptions", "Description", manifest.descriptions)
    add(body, "Version", manifest.version)
    add(body, "Managed", manifest.is_managed)
    _add_publisher(body, manifest.publisher)
    roots = add(body, "RootComponents")
    for component in manifest.components:
        element = add(roots, "RootComponent", None, type=str(component.kind), schemaName=component.name)
        element.set("behavior", str(component.behaviour))
    missing = add(body, "MissingDependencies")
    for requirement in manifest.requirements:
        element = add(missing, "MissingDependency")
        required = add(element, "Required", None, type=str(requirement.kind), schemaName=requirement.name)
        if requirement.parent:
            required.set("parentSchemaName", requirement.parent)
        add(element, "Dependent", None, type=str(TABLE), schemaName=requirement.needed_by)
    return root


def _add_publisher(body: ET.Element, publisher: Publisher) -> None:
    element = add(body, "Publisher")
    add(element, "UniqueName", publisher.unique_name)
    add_labels(element, "LocalizedNames", "LocalizedName", publisher.labels)
    add_labels(element, "Descriptions", "Description", publisher.descriptions)
    add(element, "EMailAddress", publisher.email)
    add(element, "SupportingWebsiteUrl", publisher.website)
    add(element, "CustomizationPrefix", publisher.prefix)
    add(element, "CustomizationOptionValuePrefix", publisher.option_prefix)
    addresses = add(element, "Addresses")
    for number in (1, 2):
        address = add(addresses, "Address")
        add(address, "AddressNumber", number)
        add(address, "AddressTypeCode", 1)


def read_manifest(root: ET.Element) -> Manifest:
    """Refusal 400 for a document that is none, or comes from a later platform."""
    body = root.find("SolutionManifest")
    if root.tag != "ImportExportXml" or body is None:
        raise invalid("The element 'SolutionManifest' is expected below 'ImportExportXml'.")
    _check_package_version(root.get("SolutionPackageVersion") or root.get("version") or "")
    managed = required_text(body, "Managed")
    if managed not in {"0", "1", "2"}:
        raise invalid(f"The value '{managed}' of the element 'Managed' is not known.")
    return Manifest(
        unique_name=required_text(body, "UniqueName"),
        version=checked_version(required_text(body, "Version")),
        is_managed=managed == "1",
        publisher=_read_publisher(body),
        labels=read_labels(body, "LocalizedNames/LocalizedName"),
        descriptions=read_labels(body, "Descriptions/Description", keeps_empty=False),
        components=tuple(_read_component(item) for item in body.findall("RootComponents/RootComponent")),
        requirements=tuple(_read_requirement(item) for item in body.findall("MissingDependencies/MissingDependency")),
    )


def _check_package_version(text: str) -> None:
    parts = text.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise invalid(f"The value '{text}' of the attribute 'SolutionPackageVersion' is no version.")
    if tuple(map(int, parts[:2])) > PACKAGE_VERSION:
        known = ".".join(map(str, PACKAGE_VERSION))
        raise Refusal(
            400,
            "0x80048068",
            f"You can only import solutions with a package version of {known} or earlier into this organization.",
        )


def _read_publisher(body: ET.Element) -> Publisher:
    element = body.find("Publisher")
    if element is None:
        raise invalid("The element 'SolutionManifest' has incomplete content: 'Publisher' is expected.")
    return Publisher(
        unique_name=required_text(element, "UniqueName"),
        prefix=required_text(element, "CustomizationPrefix"),
        option_prefix=whole_number(
            required_text(element, "CustomizationOptionValuePrefix"), "CustomizationOptionValuePrefix"
        ),
        labels=read_labels(element, "LocalizedNames/LocalizedName"),
        descriptions=read_labels(element, "Descriptions/Description", keeps_empty=False),
        email=text_of(element, "EMailAddress"),
        website=text_of(element, "SupportingWebsiteUrl"),
    )


def _read_component(element: ET.Element) -> Component:
    kind = whole_number(element.get("type", ""), "type")
    name = element.get("schemaName") or element.get("id")
    if not name:
        raise invalid("A 'RootComponent' has neither 'schemaName' nor 'id'.")
    return Component(kind, name, whole_number(element.get("behavior", "0"), "behavior"))


def _read_requirement(element: ET.Element) -> Requirement:
    required, dependent = element.find("Required"), element.find("Dependent")
    if required is None:
        raise invalid("A 'MissingDependency' has no 'Required'.")
    needed_by = "" if dependent is None else dependent.get("schemaName") or dependent.get("displayName") or ""
    return Requirement(
        whole_number(required.get("type", ""), "type"),
        required.get("schemaName") or required.get("id") or "",
        needed_by,
        required.get("parentSchemaName") or "",
    )
