"""No pandas: a user's environment has none, and pyarrow imports it where there is one, for a third of a second a command."""

raise ImportError("commands run without pandas, which is here for a client of Microsoft's only")
