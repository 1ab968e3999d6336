"""Chance that can be repeated: a number for a seed, a purpose and a count, whichever process draws it."""

import math

_MASK = (1 << 64) - 1


def uniform(seed: int, purpose: int, count: int) -> float:
    """A number from 0 (included) to 1, the same for the same three whole numbers.

    SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) of their mixture.
    """
    return _mix(_mix(_mix(seed) ^ purpose) ^ count) / (1 << 64) * (1 - 2**-53)


def log_normal(seed: int, purpose: int, count: int, sigma: float) -> float:
    """A factor with median 1 whose logarithm has this standard deviation."""
    if not sigma:
        return 1.0
    radius = math.sqrt(-2 * math.log(1 - uniform(seed, purpose, 2 * count)))
    return math.exp(sigma * radius * math.cos(2 * math.pi * uniform(seed, purpose, 2 * count + 1)))


def _mix(number: int) -> int:
    state = (number + 0x9E3779B97F4A7C15) & _MASK
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
    return state ^ (state >> 31)
