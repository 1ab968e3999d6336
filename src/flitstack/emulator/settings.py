"""What can be changed while an emulator runs, as one document that all its processes read."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from flitstack.emulator.entitlement import Allowance
from flitstack.emulator.faults import NO_FAULTS, FaultPlan, read_plan
from flitstack.emulator.limits import PROFILES, Profile


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits, faults and the daily entitlement."""

    profile: Profile = PROFILES["relaxed"]
    faults: FaultPlan = NO_FAULTS
    allowance: Allowance = field(default_factory=Allowance)

    def encode(self) -> bytes:
        """As JSON."""
        allowance, profile = asdict(self.allowance), asdict(self.profile)
        return orjson.dumps({"profile": profile, "faults": self.faults.document, "allowance": allowance})


def decode_settings(text: bytes) -> Settings:
    """What `encode` wrote."""
    found = orjson.loads(text)
    return Settings(Profile(**found["profile"]), read_plan(found["faults"]), Allowance(**found["allowance"]))


def changed_profile(profile: Profile, fields: dict[str, Any]) -> Profile:
    """A profile with other figures. ValueError or TypeError for what is none."""
    for name, value in fields.items():
        if name not in Profile.__dataclass_fields__ or name == "name":
            raise ValueError(f"there is no limit '{name}'")
        wanted = (bool,) if name == "is_on" else (int,) if name in _WHOLE else (int, float)
        if type(value) not in wanted:
            raise ValueError(f"{name} is no {wanted[-1].__name__}")
    return replace(profile, **fields)


_WHOLE = frozenset({"max_requests", "max_concurrent", "seed", "parallelism_hint", "servers"})
