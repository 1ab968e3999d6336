"""SQLite tables of system jobs. A job is there until it is done; `body` is its JSON document."""

STATEMENTS = (
    (
        "CREATE TABLE IF NOT EXISTS job$job (id BLOB PRIMARY KEY NOT NULL, start TEXT NOT NULL, body TEXT NOT NULL) "
        "WITHOUT ROWID"
    ),
    (
        "CREATE TABLE IF NOT EXISTS job$row (job BLOB NOT NULL, number INTEGER NOT NULL, owner_table TEXT NOT NULL, "
        "row BLOB NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID"
    ),
)
