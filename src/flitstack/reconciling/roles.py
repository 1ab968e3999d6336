"""Roles that users were to get against those they hold."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from uuid import UUID

from flitstack.destinations.port import Destination
from flitstack.errors import Finding, Problem, StepFailed
from flitstack.planning.document import Grant, Plan
from flitstack.reconciling.document import ColumnResult, TableResult
from flitstack.staging.engine.findings import FindingsWriter

RELATIONSHIP = "systemuserroles_association"
_USERS_AT_ONCE = 8


async def compare_roles(plan: Plan, destination: Destination, findings: FindingsWriter) -> TableResult | None:
    """One cell a role of a user: who holds more is in order, who lacks one is named; None where nobody was to get a role."""
    if not plan.roles:
        return None
    users, roles = await destination.table("systemuser"), await destination.table("role")
    if users is None or roles is None:
        what = "users or their roles cannot be read in this environment"
        raise StepFailed(Problem("table-missing", what, do="let the migration user read users and security roles"))
    grants: dict[str, list[Grant]] = {}
    for grant in plan.roles:
        grants.setdefault(grant.user, []).append(grant)
    waiting, lacking = iter(grants.items()), []
    while some := dict(islice(waiting, _USERS_AT_ONCE)):
        held = await asyncio.gather(*(destination.related(users, UUID(user), RELATIONSHIP, roles) for user in some))
        lacking += _lacking(some, held)
    findings.add(_finding(grant) for grant in lacking)
    cells = ColumnResult("(roles)", "", len(plan.roles), len(lacking))
    objects = tuple(sorted({grant.object for grant in plan.roles}))
    return TableResult(
        "systemuser", "roles", objects, planned=0, landed=0, rejected=0, missing=0, extra=0, columns=(cells,)
    )


def _lacking(grants: Mapping[str, Sequence[Grant]], held: Sequence[set[UUID]]) -> list[Grant]:
    return [
        grant
        for mine, roles in zip(grants.values(), held, strict=True)
        for grant in mine
        if UUID(grant.role) not in roles
    ]


def _finding(grant: Grant) -> Finding:
    return Finding(
        "role_lacking", object=grant.object, file=grant.file, record=grant.record, outcome="listed", field="(roles)",
        what=f"user {grant.user} does not hold the role {grant.name} that was to be given",
        do="see in Dynamics who took it away, or have an administrator give it",
    )  # fmt: skip
