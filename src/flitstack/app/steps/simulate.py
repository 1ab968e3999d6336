"""`flitstack load --simulate`: the plan against the documented limits in virtual time. Nothing is sent."""

from flitstack.app.forecast import forecast, forecast_document, forecast_lines
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.app.store import load_plan
from flitstack.app.subjects import plan_missing
from flitstack.destinations.virtual import Assumed
from flitstack.errors import UsageError
from flitstack.limits import daily_requests

USERS = (1, 4, 8)


def simulate(project: Project, *, row_ms: float, latency_ms: float, only_sample: bool = False) -> Result:
    """Duration, requests, execution time, pauses and daily requests for 1, 4 and 8 application users."""
    plan = load_plan(project, sample=only_sample)
    if plan is None:
        raise UsageError(plan_missing())
    assumed = Assumed(row_s=row_ms / 1000, latency_s=latency_ms / 1000)
    found = forecast(plan, USERS, assumed)
    a_day = project.target.daily_requests or daily_requests(project.target.licences)
    days = -(-found[0].entitlement // a_day)
    lines = forecast_lines(found, assumed)
    lines.append(
        f"daily requests: {found[0].entitlement:,} of {a_day:,} a day"
        + (f"; the load stops cleanly when a day's are used and takes {days} days" if days > 1 else "")
    )
    return Result({**forecast_document(found, assumed), "daily_requests": a_day, "days": days}, tuple(lines))
