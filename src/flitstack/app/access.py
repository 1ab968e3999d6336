"""Whether the migration user may do what the plan needs: asked by `flitstack plan`, told by every check after it."""

from collections.abc import Mapping

from flitstack.app.project import Project
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Facts
from flitstack.documents import load_json, save_json
from flitstack.planning.access import Access, check_access
from flitstack.planning.document import Plan

_FILE = "access.json"


def remember_access(project: Project, plan: Plan, live: Mapping[str, Table | None], facts: Facts) -> None:
    """Keep what was found out for the chosen environment."""
    save_json(project.env_state / _FILE, check_access(plan, live, facts))


def load_access(project: Project) -> Access | None:
    """What the last plan found out."""
    path = project.env_state / _FILE
    return load_json(path, Access) if path.exists() else None


def access_evidence(access: Access | None) -> tuple[str, str]:
    """State and evidence of the check: every privilege that is missing is named, with what for."""
    if access is None:
        return "waiting", "asked by flitstack plan"
    told = []
    if not access.is_told:
        told.append("the environment does not tell this user what it may do")
    vital = [need for need in access.missing if need.is_vital]
    later = [need for need in access.missing if not need.is_vital]
    if vital:
        told.append(
            f"{len(vital)} of {access.needed} privileges are missing: "
            + "; ".join(f"{n.privilege} ({n.why})" for n in vital)
        )
    if later:
        told.append("not held, needed later or in part: " + "; ".join(f"{n.privilege} ({n.why})" for n in later))
    if access.narrow:
        told.append(f"held, but not for rows of other owners: {', '.join(access.narrow)}")
    if access.secured:
        told.append(f"under field-level security: {', '.join(access.secured)}")
    if access.made:
        told.append(
            f"privileges on {', '.join(access.made)} come into being with the schema step: the user's role needs them before "
            "rows are loaded, unless it is System Customizer"
        )
    if not told:
        return "pass", f"all {access.needed} privileges that the plan needs are held"
    return "block" if vital else "warn", "; ".join(told)
