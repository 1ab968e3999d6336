"""Solutions: the documented zip format read and written, and the messages that import and export it."""
