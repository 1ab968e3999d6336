"""The one place that names a concrete destination."""

import os
from collections.abc import Sequence

from flitstack.app.emulators import is_emulator
from flitstack.app.project import EnvironmentSettings, Project
from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.definitions import Operation
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.dataverse.solution import solution_file
from flitstack.destinations.dataverse.tokens import ClientCredentials, NoTokens, Tokens
from flitstack.destinations.port import Destination
from flitstack.destinations.solution import SolutionFile, SolutionName
from flitstack.destinations.throttled import ThrottledDestination
from flitstack.errors import Problem, UsageError

# Web servers a paced client assumes at first (destinations/pacing.py).
EMULATOR_TRIAL = 64.0


def open_destination(project: Project) -> Destination:
    """The chosen environment as its application users, each paced by service protection limits of its own."""
    settings = project.target
    # An emulator without limits need not be found out slowly.
    trial = EMULATOR_TRIAL if is_emulator(settings.url) else 1.0
    catalogue = load_catalogue()
    clients = [Client(settings.url, tokens) for tokens in _all_tokens(settings)]
    paced = ThrottledDestination([DataverseDestination(client, catalogue) for client in clients], trial=trial)
    for lane, client in zip(paced.lanes, clients, strict=True):
        client.pacer = lane
    return paced


async def make_solution(blank_url: str, operations: Sequence[Operation], name: SolutionName) -> SolutionFile:
    """Schema operations as a solution file, made in a blank environment."""
    client = Client(blank_url)
    try:
        return await solution_file(client, load_catalogue(), operations, name)
    finally:
        await client.close()


def _all_tokens(settings: EnvironmentSettings) -> list[Tokens]:
    """One sign-in an application user."""
    if settings.auth == "none":
        return [NoTokens()]
    names = [(settings.client_id_variable, settings.client_secret_variable)]
    names += [(user.client_id_variable, user.client_secret_variable) for user in settings.more_users]
    return [_tokens(settings, *pair) for pair in names]


def _tokens(settings: EnvironmentSettings, id_variable: str, secret_variable: str) -> Tokens:
    if settings.auth != "client_credentials":
        raise UsageError(
            Problem(
                "auth-unknown",
                f"auth: {settings.auth!r}",
                known="none, client_credentials",
                do="correct it in flitstack.yaml",
            )
        )
    client_id = os.environ.get(id_variable, "")
    missing = [name for name in (id_variable, secret_variable) if not os.environ.get(name)]
    if missing:
        raise UsageError(
            *(
                Problem(
                    "no-credential", f"the environment variable {name} is empty", do=f"set {name} before this command"
                )
                for name in missing
            )
        )
    if settings.token_url:
        scope = f"{settings.url.rstrip('/')}/.default"
        return ClientCredentials(settings.token_url, client_id, secret_variable, scope)
    return ClientCredentials.of_tenant(settings.tenant, client_id, secret_variable, settings.url)
