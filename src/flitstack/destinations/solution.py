"""A schema as a file that an administrator imports: what it is called and what is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SolutionName:
    """Names of a solution and its publisher; `language`: lcid of the labels."""

    unique_name: str
    label: str
    prefix: str
    option_prefix: int
    language: int


@dataclass(frozen=True, slots=True)
class SolutionFile:
    """The zip, what it makes, and what cannot be made by it."""

    content: bytes
    made: tuple[Mapping[str, Any], ...]
    left: tuple[Mapping[str, Any], ...]
