"""OData queries over the SQLite tables."""
