"""The project folder: what a person wrote (flitstack.yaml, decisions.yaml) and where everything else lies."""

import getpass
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flitstack.app.decisions import read_decided
from flitstack.app.scope import fit_pack
from flitstack.documents import read_yaml, write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.packs.found import read_found
from flitstack.packs.read import load_pack
from flitstack.packs.types import Pack

PROJECT_FILE = "flitstack.yaml"
OBJECTS_FILE = "objects.yaml"
MICROSOFT_HOSTS = ("dynamics.com", "dynamics.cn", "dynamics.us", "microsoftdynamics.de", "microsoftdynamics.us")


class ApplicationUser(BaseModel):
    """One more application user of an environment, named by the environment variables that hold its credentials."""

    model_config = ConfigDict(extra="forbid")
    client_id_variable: str
    client_secret_variable: str


class EnvironmentSettings(BaseModel):
    """One destination environment. Secrets are named by environment variable, never written here."""

    model_config = ConfigDict(extra="forbid")
    url: str
    licence: str = "enterprise"  # professional | enterprise | premium
    auth: str = "none"  # none (emulator) | client_credentials
    tenant: str = ""
    token_url: str = ""
    client_id_variable: str = "FLITSTACK_CLIENT_ID"
    client_secret_variable: str = "FLITSTACK_CLIENT_SECRET"
    more_users: list[ApplicationUser] = Field(default_factory=list)  # each has service protection limits of its own
    licences: int = Field(default=0, ge=0)  # Enterprise and Professional licences of the tenant: its daily requests
    daily_requests: int = Field(default=0, ge=0)  # own budget instead; 0: what the licences give


class ProjectSettings(BaseModel):
    """flitstack.yaml. `prefix` is the publisher prefix of everything custom; `option_prefix` numbers choice options."""

    model_config = ConfigDict(extra="forbid")
    format: int = 1
    pack: str
    export: str
    prefix: str = Field(default="flit", pattern=r"^[a-z][a-z0-9]{1,7}$")
    option_prefix: int = Field(default=72700, ge=10_000, le=99_999)
    environments: dict[str, EnvironmentSettings] = Field(default_factory=dict)
    memory_mb: int = Field(default=256, ge=64)
    sample_rows: int = Field(default=5, ge=1)  # of each object and state
    sample_total: int = Field(default=0, ge=0)  # instead: so many over all objects, 100 to 500; 0: sample_rows counts
    four_eyes: bool = False
    suppress: dict[str, list[str]] = Field(default_factory=dict)  # object -> fields never staged
    files: dict[str, list[str]] = Field(default_factory=dict)  # object -> patterns of its files
    headers: dict[str, dict[str, str]] = Field(default_factory=dict)  # object -> header in the file -> field
    absent: list[str] = Field(default_factory=list)  # objects the customer has not
    awaited: list[str] = Field(default_factory=list)  # objects that come with a later batch of the export

    @field_validator("prefix")
    @classmethod
    def _not_reserved(cls, prefix: str) -> str:
        if prefix.startswith("mscrm"):
            raise ValueError("the platform keeps prefixes that begin with mscrm for itself")
        return prefix


@dataclass(frozen=True)
class Project:
    """An opened project. `operator` is who runs commands (`--as`, else the login name)."""

    folder: Path
    settings: ProjectSettings
    pack: Pack
    decisions: dict[str, Any]
    operator: str
    environment: str = ""
    decided: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, operator: str = "", environment: str = "") -> "Project":
        """Read the folder. Raises UsageError naming what is missing or wrong, all at once."""
        path = folder / PROJECT_FILE
        if not path.exists():
            raise UsageError(
                Problem(
                    "no-project",
                    f"{folder} holds no {PROJECT_FILE}",
                    where=str(folder),
                    do="go into a project folder, name one with --project, or make one: flitstack new DIR --from klipy --export PATH",
                )
            )
        settings = _settings(path)
        known = read_found(folder / OBJECTS_FILE, load_pack(settings.pack))
        pack = fit_pack(
            known, settings.files, settings.headers, [*settings.absent, *settings.awaited], settings.suppress
        )
        decided = read_decided(folder / "decisions.yaml", pack)
        decisions = {name: decision.default for name, decision in pack.decisions.items()}
        decisions |= {name: entry.get("option") for name, entry in decided.items()}
        chosen = _environment(settings, environment)
        return cls(folder.resolve(), settings, pack, decisions, operator or login_name(), chosen, decided)

    def reopened(self) -> "Project":
        """The same project as its files stand now."""
        return Project.open(self.folder, self.operator, self.environment)

    @property
    def state(self) -> Path:
        """Durable machine state, not for git."""
        return self.folder / ".flitstack"

    @property
    def export(self) -> Path:
        """The export folder (absolute)."""
        path = Path(self.settings.export).expanduser()
        return path if path.is_absolute() else (self.folder / path).resolve()

    @property
    def reports(self) -> Path:
        """Documents for people."""
        return self.folder / "reports"

    @property
    def maps(self) -> Path:
        """The map files."""
        return self.folder / "mapping"

    @property
    def env_state(self) -> Path:
        """Plan and journal of the chosen environment."""
        return self.state / self.environment

    @property
    def target(self) -> EnvironmentSettings:
        """Settings of the chosen environment. Raises UsageError when none is configured."""
        found = self.settings.environments.get(self.environment)
        if found is None:
            known = ", ".join(self.settings.environments) or "none"
            raise UsageError(
                Problem(
                    "no-environment",
                    f"no environment {self.environment!r} in {PROJECT_FILE}"
                    if self.environment
                    else "no environment is configured",
                    where=str(self.folder / PROJECT_FILE),
                    known=known,
                    do="add it under environments: (url, licence), or make the project with --to URL",
                )
            )
        return found


def login_name() -> str:
    """The operator when nobody names one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return os.environ.get("USER", "unknown")


def write_settings(folder: Path, settings: ProjectSettings) -> None:
    """Write flitstack.yaml of a new project."""
    write_yaml(folder / PROJECT_FILE, settings.model_dump(exclude_defaults=False))


def _settings(path: Path) -> ProjectSettings:
    data, lines = read_yaml(path)
    try:
        return ProjectSettings.model_validate(data)
    except ValidationError as error:
        problems = []
        for found in error.errors():
            place = tuple(str(part) for part in found["loc"])
            line = lines.get(place, lines.get(place[:1], 1))
            problems.append(
                Problem(
                    "setting-wrong",
                    f"{'.'.join(place)}: {found['msg']}",
                    where=f"{path.name}:{line}",
                    do="correct this setting",
                )
            )
        raise UsageError(*problems) from error


def _environment(settings: ProjectSettings, wanted: str) -> str:
    if wanted:
        return wanted
    if "production" in settings.environments or not settings.environments:
        return "production"
    return next(iter(settings.environments))
