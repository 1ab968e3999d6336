"""Schema operations as a solution file, for administrators who let no program change their environment's schema.

The operations are made in a blank environment, inside an unmanaged solution, and that is exported: the file holds what the metadata
calls would have made, by the same code. Source: Microsoft Learn, "Create, export, or import an unmanaged solution".
"""

import base64
from collections.abc import Sequence
from uuid import uuid4

from flitstack.catalogue.types import Catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.definitions import Operation
from flitstack.destinations.dataverse.schema import SchemaWriter
from flitstack.destinations.solution import SolutionFile, SolutionName

VERSION = "1.0.0.0"


async def solution_file(
    client: Client, catalogue: Catalogue, operations: Sequence[Operation], name: SolutionName
) -> SolutionFile:
    """Make the operations in the blank environment behind `client` and export them.

    Options for a choice that the destination has already, and columns that are to become wider, are left: the file would have to
    carry the whole column, and an import would write over it.
    """
    tables = {o["table"] for o in operations if o["kind"] == "create_table"}
    columns = {(o["table"], o["name"]) for o in operations if o["kind"] == "add_column"}
    more = {"add_option", "widen_column"}
    left = tuple(o for o in operations if o["kind"] in more and (o["table"], o["name"]) not in columns)
    made = tuple(o for o in operations if o not in left)
    bare = SchemaWriter(client, name.language)
    mentioned = {table for o in made for table in (o["table"], o.get("other", ""), *o.get("targets", ())) if table}
    for table in sorted(mentioned - tables - set(catalogue.tables)):
        # A custom table of the destination: here for the reference only, so not in the solution.
        primary = {"name": f"{name.prefix}_name", "label": "Name", "length": 100}
        details = {"label": table, "plural": table, "ownership": "UserOwned", "primary": primary}
        await bare.apply({"kind": "create_table", "table": table, "name": table, **details})
    await _make_solution(client, name)
    writer = SchemaWriter(client, name.language, solution=name.unique_name)
    for operation in made:
        await writer.apply(operation)
    answer = await client.post("ExportSolution", {"SolutionName": name.unique_name, "Managed": False})
    return SolutionFile(base64.b64decode(answer.json()["ExportSolutionFile"]), made, left)


async def _make_solution(client: Client, name: SolutionName) -> None:
    publisher = str(uuid4())
    body = {
        "publisherid": publisher,
        "uniquename": f"{name.prefix}publisher",
        "friendlyname": f"{name.label} publisher",
        "customizationprefix": name.prefix,
        "customizationoptionvalueprefix": name.option_prefix,
    }
    await client.post("publishers", body)
    solution = {"uniquename": name.unique_name, "friendlyname": name.label, "version": VERSION}
    await client.post("solutions", {**solution, "publisherid@odata.bind": f"/publishers({publisher})"})
