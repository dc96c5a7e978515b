-- Requests for access and what became of them: a document each, replaced as a whole by whoever has seen the newest version.
-- The approvers' ID tokens are in it, which is why this file is the owner's only.

CREATE TABLE access (
    id      TEXT PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version > 0),
    gone_at INTEGER NOT NULL,
    doc     TEXT NOT NULL
) STRICT;
CREATE INDEX access_gone_at ON access (gone_at);

CREATE TRIGGER access_version_rises BEFORE UPDATE ON access WHEN NEW.version <> OLD.version + 1
BEGIN SELECT RAISE(ABORT, 'another change came in between'); END;

PRAGMA user_version = 4;
