"""The messages about solutions.

Source: Microsoft Learn, the pages of the actions "ExportSolution", "ImportSolution", "ImportSolutionAsync",
"StageSolution", "ExportSolutionAsync", "DownloadSolutionExportData", "AddSolutionComponent", "RemoveSolutionComponent".
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from flitstack.emulator.answers import json_answer, no_content, refused
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.metadata.bodies import Body, read_body
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.solutions.components import (
    drop_component,
    find_definition,
    listed,
    put_component,
)
from flitstack.emulator.solutions.exporting import export_solution
from flitstack.emulator.solutions.importing import Import, apply_import, read_solution
from flitstack.emulator.solutions.jobs import EXPORT_JOB, IMPORT_JOB, new_id, put_import_job, put_operation
from flitstack.emulator.solutions.manifest import COLUMN, KEY, SHELL, TABLE, WITH_ALL, WITHOUT_PARTS, Component
from flitstack.emulator.solutions.rows import find_solution

Action = Callable[[Live, Request], Answer]
_STAGED, _EXPORTED = "staged_solution", "exported_solution"
# Parameters that change what an import does; false and null are what the emulator does anyway.
_UNKNOWN_WHEN_TRUE = ("HoldingSolution", "ConvertToManaged", "AsyncRibbonProcessing", "LayerDesiredOrder")
_UNKNOWN = ("ComponentParameters",)
# What ExportSolution can add to the file; the emulator has none of it.
_EXPORT_EXTRAS = (
    "ExportAutoNumberingSettings", "ExportCalendarSettings", "ExportCustomizationSettings",
    "ExportEmailTrackingSettings", "ExportGeneralSettings", "ExportMarketingSettings",
    "ExportOutlookSynchronizationSettings", "ExportRelationshipRoles", "ExportIsvConfig", "ExportSales",
    "ExportExternalApplications",
)  # fmt: skip


def _response(request: Request, **members: object) -> Answer:
    name = request.path.partition("(")[0].rpartition(".")[2]
    return json_answer(
        {"@odata.context": f"{request.base_url}$metadata#Microsoft.Dynamics.CRM.{name}Response", **members}
    )


def _file(value: object, member: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error as error:
        raise Refusal(400, "0x80048d19", f"{member} is no base64 text.") from error


def _check_parameters(body: Body) -> None:
    for name in (*_UNKNOWN_WHEN_TRUE, *_UNKNOWN):
        if body.get(name):
            raise not_implemented(f"ImportSolution with {name}")


def _import(live: Live, data: bytes, job: str) -> tuple[Refusal | None, str]:
    """Import, or leave nothing but the job's record. The refusal, and the name of the solution."""
    work: Import | None = None
    refusal: Refusal | None = None
    try:
        with live.environment.savepoint():
            work = read_solution(live, data)
            apply_import(live, work)
    except Refusal as caught:
        live.environment.reload()
        live.forget()
        refusal = caught
    put_import_job(live, job, work, refusal)
    return refusal, work.manifest.unique_name if work else "solution"


def _import_solution(live: Live, request: Request) -> Answer:
    body = read_body(request)
    _check_parameters(body)
    refusal, _ = _import(
        live, _file(body.get("CustomizationFile"), "CustomizationFile"), new_id(body.get("ImportJobId"))
    )
    return no_content() if refusal is None else refused(refusal)


def _import_async(live: Live, request: Request) -> Answer:
    body = read_body(request)
    _check_parameters(body)
    staged = (body.get("SolutionParameters") or {}).get("StageSolutionUploadId")
    data = _staged(live, str(staged)) if staged else _file(body.get("CustomizationFile"), "CustomizationFile")
    job = new_id(body.get("ImportJobId"))
    refusal, name = _import(live, data, job)
    operation = put_operation(live, IMPORT_JOB, f"Import {name}", refusal)
    return _response(request, ImportJobKey=job, AsyncOperationId=operation)


def _staged(live: Live, id_: str) -> bytes:
    document = live.documents(_STAGED).get(id_.lower())
    if document is None:
        raise Refusal(400, "0x80040217", f"stagesolutionupload With Id = {id_} Does Not Exist")
    return _file(document["file"], "CustomizationFile")


def _stage(live: Live, request: Request) -> Answer:
    """Keeps the file and says what an import would say."""
    body = read_body(request)
    data = _file(body.get("CustomizationFile"), "CustomizationFile")
    results: dict[str, Any] = {"StageSolutionUploadId": str(uuid4()), "StageSolutionStatus": "Passed"}
    results |= {"SolutionValidationResults": [], "MissingDependencies": [], "SolutionComponentsDetails": []}
    try:
        work = read_solution(live, data)
    except Refusal as refusal:
        if refusal.status == 501:
            raise
        problem = {"SolutionValidationResultType": "Error", "Message": refusal.message, "ErrorCode": refusal.code}
        results |= {"StageSolutionStatus": "Failed", "SolutionValidationResults": [problem], "SolutionDetails": None}
        return _response(request, StageSolutionResults=results)
    manifest = work.manifest
    results["SolutionDetails"] = {
        "SolutionUniqueName": manifest.unique_name,
        "SolutionFriendlyName": (manifest.labels["LocalizedLabels"] or [{"Label": manifest.unique_name}])[0]["Label"],
        "SolutionVersion": manifest.version,
        "IsManaged": manifest.is_managed,
        "PublisherUniqueName": manifest.publisher.unique_name,
    }
    document: dict[str, object] = {"file": body.get("CustomizationFile")}
    live.environment.put_document(_STAGED, results["StageSolutionUploadId"], document)
    return _response(request, StageSolutionResults=results)


def _export(live: Live, request: Request) -> bytes:
    body = read_body(request)
    for name in (*_EXPORT_EXTRAS, "TargetVersion"):
        if body.get(name):
            raise not_implemented(f"ExportSolution with {name}")
    return export_solution(live, body.get("SolutionName"), is_managed=bool(body.get("Managed")))


def _export_solution(live: Live, request: Request) -> Answer:
    return _response(request, ExportSolutionFile=base64.b64encode(_export(live, request)).decode())


def _export_async(live: Live, request: Request) -> Answer:
    data, job = base64.b64encode(_export(live, request)).decode(), str(uuid4())
    live.environment.put_document(_EXPORTED, job, {"file": data})
    return _response(request, AsyncOperationId=put_operation(live, EXPORT_JOB, "Export"), ExportJobId=job)


def _download(live: Live, request: Request) -> Answer:
    job = str(read_body(request).get("ExportJobId")).lower()
    document = live.documents(_EXPORTED).get(job)
    if document is None:
        raise Refusal(400, "0x80040217", f"exportsolutionupload With Id = {job} Does Not Exist")
    return _response(request, ExportSolutionFile=document["file"])


def _unmanaged(live: Live, body: Body) -> str:
    solution = find_solution(live, body.get("SolutionUniqueName"))
    if solution.is_managed:
        raise Refusal(400, "0x8004F024", f"The managed solution {solution.unique_name} cannot be changed.")
    return solution.unique_name


def _add(live: Live, request: Request) -> Answer:
    body = read_body(request)
    solution, kind = _unmanaged(live, body), body.get("ComponentType")
    if not isinstance(kind, int) or isinstance(kind, bool):
        raise Refusal(400, "0x80040203", "ComponentType is expected.")
    if body.get("IncludedComponentSettingsValues"):
        raise not_implemented("AddSolutionComponent with IncludedComponentSettingsValues")
    name = find_definition(live, kind, str(body.get("ComponentId")))
    behaviour = WITHOUT_PARTS if kind == TABLE and body.get("DoNotIncludeSubcomponents") else WITH_ALL
    table = name.partition(".")[0]
    roots = {item.component.name for item in listed(live, solution) if item.component.kind == TABLE}
    if kind in {COLUMN, KEY} and table not in roots:
        put_component(live, solution, Component(TABLE, table, SHELL))
    return _response(request, id=put_component(live, solution, Component(kind, name, behaviour)))


def _remove(live: Live, request: Request) -> Answer:
    """`SolutionComponent.solutioncomponentid` holds, as clients send it, the component's own id or that of its row."""
    body = read_body(request)
    solution, given = _unmanaged(live, body), body.get("SolutionComponent") or {}
    wanted = str(given.get("solutioncomponentid") or body.get("ComponentId")).lower()
    for item in listed(live, solution):
        if item.component.kind == body.get("ComponentType") and wanted in (item.id, item.object_id):
            parts = [p for p in listed(live, solution) if p.component.name.startswith(f"{item.component.name}.")]
            for gone in [item, *(parts if item.component.kind == TABLE else [])]:
                drop_component(live, gone)
            return _response(request, id=item.id)
    raise Refusal(400, "0x8004F021", f"The component {wanted} is not in the solution {solution}.")


ACTIONS: Mapping[str, Action] = {
    "ImportSolution": _import_solution,
    "ImportSolutionAsync": _import_async,
    "StageSolution": _stage,
    "ExportSolution": _export_solution,
    "ExportSolutionAsync": _export_async,
    "DownloadSolutionExportData": _download,
    "AddSolutionComponent": _add,
    "RemoveSolutionComponent": _remove,
}
# Refused by name.
NOT_THERE = (
    "CloneAsPatch", "CloneAsSolution", "DeleteAndPromote", "DeleteAndPromoteAsync", "StageAndUpgrade",
    "StageAndUpgradeAsync", "UpdateSolutionComponent", "UninstallSolutionAsync", "ImportTranslation",
    "ExportTranslation",
)  # fmt: skip
