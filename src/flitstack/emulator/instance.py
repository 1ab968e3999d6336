"""One running emulator: the open environment and everything that stands before it. No sockets here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flitstack.emulator.auth import Doorkeeper
from flitstack.emulator.core import Environment
from flitstack.emulator.counters import Counters
from flitstack.emulator.dispatch import Dispatcher
from flitstack.emulator.faults import NO_FAULTS, FaultPlan
from flitstack.emulator.limits import PROFILES, Limiter, Profile
from flitstack.emulator.messages import Switches
from flitstack.emulator.metadata.router import Metadata, MetadataOptions


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """How an emulator is opened. `is_open`: requests need no token."""

    data: Path
    is_open: bool = True
    profile: Profile = PROFILES["relaxed"]
    faults: FaultPlan = NO_FAULTS
    switches: Switches = field(default_factory=Switches)
    metadata: MetadataOptions = field(default_factory=MetadataOptions)


class Instance:
    """`environment` and what is built on it change when a snapshot is restored; counters and limits stay."""

    environment: Environment
    doorkeeper: Doorkeeper
    metadata: Metadata
    dispatcher: Dispatcher

    def __init__(
        self, options: Options, clock: Callable[[], datetime] = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.options = options
        self.clock = clock
        self.monotonic = monotonic
        self.counters = Counters()
        self.limiter = Limiter(options.profile)
        self.faults = options.faults
        self.open()

    def open(self) -> None:
        """Open the data directory."""
        options = self.options
        self.environment = Environment.open(options.data, options.switches, self.clock)
        self.doorkeeper = Doorkeeper(self.environment, self.clock, is_open=options.is_open)
        self.metadata = Metadata(self.environment, self.clock, options.metadata)
        self.dispatcher = Dispatcher(self.environment, self.metadata, self.counters, lambda: self.faults)

    def close(self) -> None:
        """Close the data directory."""
        self.environment.close()
