"""SQLite tables of file contents.

A content has an expiry while it is uploaded and none once it is whole; its blocks have no place in it until then. The
bytes lie apart from what is said about them, so that putting blocks in order writes none of them again.
"""

STATEMENTS = (
    (
        "CREATE TABLE IF NOT EXISTS file$content (id BLOB PRIMARY KEY NOT NULL, kind TEXT NOT NULL, owner_table TEXT, "
        "owner BLOB, owner_column TEXT, name TEXT, mimetype TEXT, size INTEGER, expires TEXT) WITHOUT ROWID"
    ),
    "CREATE INDEX IF NOT EXISTS file$by$owner ON file$content (owner_table, owner)",
    (
        "CREATE TABLE IF NOT EXISTS file$block (content BLOB NOT NULL, block TEXT NOT NULL, start INTEGER, "
        "size INTEGER NOT NULL, data INTEGER NOT NULL, PRIMARY KEY (content, block)) WITHOUT ROWID"
    ),
    "CREATE INDEX IF NOT EXISTS file$by$start ON file$block (content, start)",
    "CREATE TABLE IF NOT EXISTS file$data (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
)
