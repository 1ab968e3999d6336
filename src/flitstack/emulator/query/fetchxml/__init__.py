"""FetchXML: the query tree, its XML form, and running it. `query/sql` makes the same tree from a SELECT."""
