"""A destination that lives in memory: for tests and rehearsals of the loader."""
