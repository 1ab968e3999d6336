"""The metadata API: definitions read, written and described."""
