-- What was recorded about each person, for that person to ask for: the newest of it. The chains on disk are the record itself.
-- An event that names nobody goes on with a thread that an earlier one began, and is about whom that one named.

CREATE TABLE record (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    taken  INTEGER NOT NULL,
    keeper TEXT NOT NULL,
    line   TEXT NOT NULL
) STRICT;
CREATE INDEX record_taken ON record (taken);

CREATE TABLE record_about (
    sub    TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    PRIMARY KEY (sub, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_about_number ON record_about (number);

CREATE TABLE record_thread (
    thread TEXT NOT NULL,
    sub    TEXT NOT NULL,
    taken  INTEGER NOT NULL,
    PRIMARY KEY (thread, sub)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_thread_taken ON record_thread (taken);

PRAGMA user_version = 5;
