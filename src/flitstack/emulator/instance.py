"""One running emulator: the open environment and everything that stands before it. No sockets here."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from flitstack.emulator.auth import Doorkeeper
from flitstack.emulator.core import Environment
from flitstack.emulator.counters import Counters
from flitstack.emulator.dispatch import Dispatcher
from flitstack.emulator.entitlement import Allowance, Entitlement
from flitstack.emulator.faults import NO_FAULTS, FaultPlan, Mishap
from flitstack.emulator.limits import PROFILES, Limiter, Profile
from flitstack.emulator.messages import Switches
from flitstack.emulator.metadata.lagging import LaggingMetadata
from flitstack.emulator.metadata.router import Metadata, MetadataOptions
from flitstack.emulator.settings import Settings, decode_settings
from flitstack.emulator.shared.state import SharedState


@dataclass(frozen=True, slots=True)
class Options:
    """How an emulator is opened. `is_open`: requests need no token. `tenant`: the only one that gives them.

    `state_file`: shared by all processes on the directory, of which this is the one numbered `worker`; None when there
    is only one. Profile, faults and allowance are those of the first process; the others take over what it set.
    """

    data: Path
    is_open: bool = True
    tenant: str | None = None
    profile: Profile = PROFILES["relaxed"]
    faults: FaultPlan = NO_FAULTS
    switches: Switches = field(default_factory=Switches)
    metadata: MetadataOptions = field(default_factory=MetadataOptions)
    allowance: Allowance = field(default_factory=Allowance)
    state_file: Path | None = None
    worker: int = 0


class Instance:
    """`environment` and what is built on it change when a snapshot is restored; counters and limits stay."""

    environment: Environment
    doorkeeper: Doorkeeper
    metadata: Metadata
    dispatcher: Dispatcher
    entitlement: Entitlement
    limiter: Limiter
    settings: Settings

    def __init__(self, options: Options) -> None:
        self.options = options
        self.state = SharedState(options.state_file, options.worker)
        self.clock = self.state.clock
        self.counters = Counters(self.state)
        self._settings_seen = -1
        self._data_seen = self.state.data_generation
        if self.state.is_first:
            self._write(Settings(options.profile, options.faults, options.allowance))
            self.limiter.begin()
        self._take_settings()
        self.open()

    def open(self) -> None:
        """Open the data directory."""
        options = self.options
        self.environment = Environment.open(options.data, options.switches, self.clock.now)
        self.doorkeeper = Doorkeeper(self.environment, self.clock.now, is_open=options.is_open, tenant=options.tenant)
        self.metadata = self._read_metadata(self.environment)
        self.entitlement = Entitlement(self.state.cells, self.environment)
        self._lagging = LaggingMetadata(
            partial(Environment.open, options.data, options.switches, self.clock.now),
            self._read_metadata,
            self.clock.seconds,
            lambda: self.settings.faults.metadata_lag_s,
        )
        self.dispatcher = Dispatcher(
            self.environment, self.metadata, self._lagging, self.draw_for_part, self.doorkeeper.acting
        )

    def _read_metadata(self, environment: Environment) -> Metadata:
        return Metadata(environment, self.clock.now, self.options.metadata)

    def close(self) -> None:
        """Close the data directory."""
        self._lagging.close()
        self.environment.close()

    def end(self) -> None:
        """Close everything; the object is of no use afterwards."""
        self.close()
        self.state.close()

    def set_profile(self, profile: Profile) -> None:
        """Other limits from now on, in all processes; what was used is forgotten."""
        self._write(replace(self.settings, profile=profile))
        self.limiter.begin()

    def set_faults(self, faults: FaultPlan) -> None:
        """Another plan from now on, in all processes; it begins at its first request."""
        with self.state.memory.lock():
            self.state.cells.clear("fault/")
        self._write(replace(self.settings, faults=faults))

    def set_allowance(self, allowance: Allowance) -> None:
        """Another daily entitlement, in all processes; what was used today stays used."""
        self._write(replace(self.settings, allowance=allowance))

    def refresh(self) -> None:
        """Take over what another process changed. Called before each request; cheap when nothing did."""
        if self.state.settings_generation != self._settings_seen:
            self._take_settings()
        if self.state.data_generation != self._data_seen:
            self._data_seen = self.state.data_generation
            self.close()
            self.open()
        self.environment.refresh()

    def data_replaced(self) -> None:
        """Tell the other processes that the data file holds another environment; this one knows."""
        self._data_seen = self.state.announce_data()

    def draw_for_part(self, method: str, path: str, kind: str, user: str) -> Mishap:
        """Count a request inside a batch; what it meets."""
        with self.state.memory.lock():
            self.counters.count_part(kind, user)
            return self.settings.faults.draw(self.state.cells, method, path, kind, in_batch=True)

    def _write(self, settings: Settings) -> None:
        self.state.write_settings(settings.encode())
        self._take_settings()

    def _take_settings(self) -> None:
        self._settings_seen = self.state.settings_generation
        self.settings = decode_settings(self.state.read_settings())
        self.limiter = Limiter(self.settings.profile, self.state)
