"""What imports and exports leave behind: import jobs, asynchronous operations, files to fetch.

The work itself is done while the request is answered; only its record is asynchronous.
Source: Microsoft Learn, "ImportJob table", "ImportSolutionAsync Action", "Work with solutions".
"""

import xml.etree.ElementTree as ET
from uuid import UUID, uuid4

from flitstack.emulator.answers import json_answer
from flitstack.emulator.core import APPLICATION_USER
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.selection import matching, project, read_selection
from flitstack.emulator.paths import Segment
from flitstack.emulator.solutions.importing import Import
from flitstack.emulator.solutions.package import xml_bytes
from flitstack.emulator.solutions.texts import add
from flitstack.emulator.values import guid_text

EXPORT_JOB, IMPORT_JOB = 202, 203  # operation types of asyncoperation
_COMPLETED, _SUCCEEDED, _FAILED = 3, 30, 31
_JOBS = "import_job"


def put_import_job(live: Live, id_: str, work: Import | None, refusal: Refusal | None) -> None:
    """The row of an import that is over; `work` is None when the file could not be read."""
    moment = f"{live.occasion.now:%Y-%m-%dT%H:%M:%SZ}"
    name = work.manifest.unique_name if work else None
    document: Json = {
        "importjobid": id_,
        "name": "Customizations",
        "solutionname": name,
        "progress": 100.0 if refusal is None else 0.0,
        "startedon": moment,
        "completedon": moment,
        "createdon": moment,
        "modifiedon": moment,
        "operationcontext": "Import",
        "_createdby_value": str(APPLICATION_USER),
        "data": xml_bytes(_report(work, refusal, moment)).decode(),
    }
    live.environment.put_document(_JOBS, id_, document)


def _report(work: Import | None, refusal: Refusal | None, moment: str) -> ET.Element:
    root = ET.Element("importexportxml", start=moment, stop=moment, progress="100" if refusal is None else "0")
    root.set("processed", "true")
    manifests = add(root, "solutionManifests")
    if work is None:
        _add_result(add(manifests, "solutionManifest", None, processed="true"), refusal)
        return root
    manifest = work.manifest
    element = add(manifests, "solutionManifest", None, id=manifest.unique_name, processed="true")
    _add_result(element, refusal)
    add(element, "UniqueName", manifest.unique_name)
    add(element, "Version", manifest.version)
    publisher = add(element, "Publisher")
    add(publisher, "UniqueName", manifest.publisher.unique_name)
    if refusal is None:
        for group, tag, names in (
            ("entities", "entity", work.contents.tables),
            ("optionSets", "optionSet", work.contents.choices),
        ):
            below = add(root, group)
            for name in names:
                _add_result(add(below, tag, None, id=name, LocalizedName=name, processed="true"), None)
    return root


def _add_result(element: ET.Element, refusal: Refusal | None) -> None:
    result = "success" if refusal is None else "failure"
    code, text = ("0", "") if refusal is None else (refusal.code, refusal.message)
    add(element, "result", None, result=result, errorcode=code, errortext=text)


def read_jobs(live: Live, request: Request, segment: Segment) -> Answer:
    """GET on `importjobs`."""
    jobs = list(live.documents(_JOBS).values())
    selection = read_selection(request.query)
    if segment.is_row:
        wanted = guid_text(segment.id) if segment.id else ""
        found = [job for job in jobs if job["importjobid"] == wanted]
        if not found:
            raise Refusal(404, "0x80040217", f"importjob With Id = {wanted} Does Not Exist")
        context = f"{request.base_url}$metadata#importjobs/$entity"
        return json_answer({"@odata.context": context, "importjobid": wanted, **project(found[0], selection, {})})
    found = matching(jobs, selection)
    value = [{"importjobid": job["importjobid"], **project(job, selection, {})} for job in found]
    return json_answer({"@odata.context": f"{request.base_url}$metadata#importjobs", "value": value})


def put_operation(live: Live, kind: int, name: str, refusal: Refusal | None = None) -> str:
    """The asyncoperation row of work that is over. Its id."""
    id_ = uuid4()
    moment = f"{live.occasion.now:%Y-%m-%dT%H:%M:%SZ}"
    live.environment.put_row("asyncoperation", id_, {
        "name": name,
        "operationtype": kind,
        "statecode": _COMPLETED,
        "statuscode": _SUCCEEDED if refusal is None else _FAILED,
        "startedon": moment,
        "completedon": moment,
        "errorcode": None if refusal is None else _signed(refusal.code),
        "message": None if refusal is None else refusal.message,
        "friendlymessage": None if refusal is None else refusal.message,
    })  # fmt: skip
    return str(id_)


def _signed(code: str) -> int:
    """`0x8004801D` as the 32-bit integer of the column."""
    number = int(code or "0", 16)
    return number - (1 << 32) if number >= 1 << 31 else number


def new_id(given: object) -> str:
    """The id a client gave an import, or a fresh one."""
    try:
        return str(UUID(given)) if isinstance(given, str) else str(uuid4())
    except ValueError as error:
        raise Refusal(400, "0x80040203", f"ImportJobId '{given}' is no GUID.") from error
