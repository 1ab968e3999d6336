"""What all processes that serve one data directory have in common: clock, limits, counters, settings."""
