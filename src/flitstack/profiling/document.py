"""What profiling hands on: what is in every field of every staged table, before anything is changed.

Shares are 0..1. Counts of records are exact; everything about values (`kinds`, `top`, `unreadable`, ranges) is of the
sample when `ObjectProfile.sampled` is smaller than `records`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopValue:
    """A frequent value. `text` is a shape (letters and digits masked) when the field is personal or the value is rare."""

    text: str
    records: int
    is_shape: bool


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """One column of a staged table.

    `kinds`: share of the filled values that can be read as number, date, email, phone, url, boolean, html.
    `kind`: what nearly all of them are (text when nothing fits). `unreadable`: values that the type the pack declares
    cannot read, with their shapes. `low`, `high`: least and greatest number or date. `outliers`: numbers further than
    three interquartile ranges from the middle half. `personal`: why it is held to be personal data, "" if it is not.
    """

    name: str
    header: str
    known: bool  # a field of the pack
    declared: str  # type the pack declares, "" for unknown columns
    filled: int
    distinct: int  # approximate above a few thousand
    shortest: int
    longest: int  # characters
    kind: str
    kinds: dict[str, float]
    unreadable: int
    unreadable_shapes: tuple[str, ...]
    low: str
    high: str
    outliers: int
    personal: str
    top: tuple[TopValue, ...]


@dataclass(frozen=True, slots=True)
class KeyProfile:
    """How often a field that can identify repeats, once written the same way (address, host, phone, id)."""

    field: str
    written_as: str  # the value function
    filled: int
    distinct: int

    @property
    def repeated(self) -> int:
        """Records that share the key with an earlier one."""
        return self.filled - self.distinct


@dataclass(frozen=True, slots=True)
class ObjectProfile:
    """One staged table. `missing`: fields of the pack that no file has."""

    object: str
    label: str
    records: int
    sampled: int
    fields: tuple[FieldProfile, ...]
    keys: tuple[KeyProfile, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """The profile of one staged snapshot (its fingerprint)."""

    staged: str
    at: str
    objects: dict[str, ObjectProfile]
