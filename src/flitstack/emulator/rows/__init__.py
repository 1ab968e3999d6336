"""Writing rows: references, rules, stamps, parties, cascades."""
