"""The solution zip and its two XML documents, read within limits and written the same way every time.

Source: Microsoft Learn, "Customization solutions file schema" and "Solution file reference".
"""

import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from xml.parsers import expat

from flitstack.emulator.messages import Refusal
from flitstack.emulator.solutions.faults import bad_zip, not_well_formed, too_large

MAX_UNPACKED_BYTES = 128 * 1024 * 1024
MAX_FILES = 10_000
MAX_DEPTH = 100
_MANIFEST, _CUSTOMIZATIONS, _TYPES = "solution.xml", "customizations.xml", "[Content_Types].xml"
_MOMENT = (2020, 1, 1, 0, 0, 0)  # a fixed one: the same definitions give the same bytes
_OPC = "http://schemas.openxmlformats.org/package/2006/content-types"
# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Package:
    """The roots of solution.xml and customizations.xml."""

    manifest: ET.Element
    customizations: ET.Element


def read_package(data: bytes) -> Package:
    """Refusal 400 for what is no solution zip, is too large, or holds XML that cannot be read."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) > MAX_FILES:
                raise too_large(f"It holds {len(names)} files; {MAX_FILES} are allowed.")
            if not {_MANIFEST, _CUSTOMIZATIONS, _TYPES} <= set(names):
                raise bad_zip()
            if len(names) != len(set(names)) or any(entry.flag_bits & 1 for entry in archive.infolist()):
                raise bad_zip()
            left = MAX_UNPACKED_BYTES
            texts = {}
            for name in (_TYPES, _MANIFEST, _CUSTOMIZATIONS):
                texts[name] = _unpack(archive, name, left)
                left -= len(texts[name])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise bad_zip() from error
    parse_xml(texts[_TYPES], _TYPES)
    return Package(parse_xml(texts[_MANIFEST], _MANIFEST), parse_xml(texts[_CUSTOMIZATIONS], _CUSTOMIZATIONS))


def _unpack(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> bytes:
    """The size a zip declares may be a lie: what counts is what comes out."""
    with archive.open(name) as packed:
        data = packed.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise too_large(f"Its documents are larger than {MAX_UNPACKED_BYTES} bytes.")
    return data


def parse_xml(data: bytes, file: str) -> ET.Element:
    """The root element. Document type declarations, and with them every entity, are refused."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise not_well_formed(file, f"elements are nested deeper than {MAX_DEPTH}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse_doctype(*_: object) -> None:
        raise not_well_formed(file, "a document type declaration is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise not_well_formed(file, str(error)) from error
    except (LookupError, ValueError) as error:  # an encoding Python does not know, or that does not fit
        raise not_well_formed(file, str(error)) from error
    return builder.close()


def write_package(package: Package) -> bytes:
    """The zip."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root in (
            (_TYPES, _content_types()),
            (_MANIFEST, package.manifest),
            (_CUSTOMIZATIONS, package.customizations),
        ):
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), xml_bytes(root), zipfile.ZIP_DEFLATED)
    return target.getvalue()


def xml_bytes(root: ET.Element) -> bytes:
    """A document with its declaration. Refusal 400 for characters that XML has no place for."""
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    found = _UNWRITABLE.search(text)
    if found:
        raise Refusal(400, "0x80040203", f"A label holds the character {found[0]!r}, which XML cannot carry.")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def _content_types() -> ET.Element:
    root = ET.Element("Types", xmlns=_OPC)
    ET.SubElement(root, "Default", Extension="xml", ContentType="application/octet-stream")
    return root
