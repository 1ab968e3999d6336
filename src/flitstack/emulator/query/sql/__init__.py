"""T-SQL of the `?sql=` endpoint as a query tree."""
