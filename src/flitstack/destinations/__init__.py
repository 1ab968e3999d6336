"""Where rows go: the port, its faults, wrappers that change behaviour, and the implementations."""
