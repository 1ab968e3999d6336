"""Files that stand inside records: images of notes and documents of FHIR bundles become files like any others."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_items.item_case import land

from flitstack.staging.document import kept_file
from flitstack.staging.engine.inline import find_inline

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
BODY = (
    f'<p>Plan <img src=""{IMAGE}""> and <img alt=""x"" src=""cid:p4-scan.txt@01D9"">'
    ' and <img src=""https://pictures.example/a.png""> and <img src=""data:image/png;base64,%%%""></p>'
)


def test_images_inside_a_note_are_files_of_its_parent(tmp_path: Path) -> None:
    old = '"<p>Wants a <b>trust</b></p><ul><li>two children</li></ul>"'
    landed = land("interactive", tmp_path, written={"notes.csv": (old, f'"{BODY}"')})
    note = landed.of("Note.note")["N1"]
    assert note["notetext"] == (
        "<p>Plan [image 1: a file of this record] and [image 2: a file of this record] and"
        ' <img src="https://pictures.example/a.png"> and [image 3: a file of this record]</p>'
    )
    images = sorted(landed.of("Note.note_image").values(), key=lambda row: str(row["filename"]))
    assert [(row["filename"], row["mimetype"], row["objectid"]) for row in images] == [
        ("image-1.png", "image/png", note["objectid"]),
        ("p4-scan.txt", "text/plain", note["objectid"]),
    ]
    assert images[1]["_content"] == "files/p4-scan.txt", "what a cid names is looked for in the export"
    kept = kept_file(tmp_path / "inline", images[0]["_content"])
    assert kept.read_bytes() == PIXEL
    assert ("Note", "N1", "loaded") in landed.found["file_missing"], (
        "what cannot be read is told, the note loads all the same"
    )


@pytest.mark.parametrize("held", [True, False], ids=["data inside", "url"])
def test_a_document_inside_a_bundle_is_a_file_of_its_patient(tmp_path: Path, held: bool) -> None:
    letter = b"%PDF-1.4 a letter"
    attachment = {"contentType": "application/pdf", "title": "letter.pdf"}
    attachment |= {"data": base64.b64encode(letter).decode()} if held else {"url": "Binary/b1"}
    entries = [
        {"resource": {"resourceType": "Patient", "id": "p1", "name": [{"family": "Okafor", "given": ["Ngozi"]}]}},
        {
            "resource": {
                "resourceType": "DocumentReference", "id": "d1", "status": "current", "date": "2024-05-06T07:08:09Z",
                "subject": {"reference": "Patient/p1"}, "content": [{"attachment": attachment}],
            }
        },
    ]  # fmt: skip
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    landed = land("clinic", tmp_path, added={"bundle.json": bundle})
    found = landed.of("Document.file").get("d1")
    if not held:
        assert found is None
        assert "d1" in landed.records("file_missing", "held")
        return
    assert found is not None
    assert (found["filename"], found["mimetype"], found["_content_size"]) == (
        "letter.pdf",
        "application/pdf",
        len(letter),
    )
    assert kept_file(tmp_path / "inline", found["_content"]).read_bytes() == letter


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/jpeg", "text/plain; charset=utf-8", ""]))
def test_what_goes_into_a_data_address_comes_out(content: bytes, kind: str) -> None:
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    assert [one.content for one in find_inline(address)] == [content]
    assert [one.content for one in find_inline(f"<b>x</b><IMG class='a' SRC='{address}'/>")] == [content]


@given(st.text(max_size=80))
def test_text_without_images_is_left_as_it_is(text: str) -> None:
    assert "<img" in text.lower() or text.lstrip().lower().startswith("data:") or not list(find_inline(text))
