"""FHIR R4 exports: bundles and NDJSON of resources, read by paths that the pack declares."""
