-- Epoch and versions only rise: the database refuses what a mistake in the program would try.

CREATE TABLE epoch (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT;
INSERT INTO epoch VALUES (1, 0);

CREATE TRIGGER epoch_never_falls BEFORE UPDATE ON epoch WHEN NEW.value < OLD.value
BEGIN SELECT RAISE(ABORT, 'the epoch never goes back'); END;
CREATE TRIGGER epoch_never_leaves BEFORE DELETE ON epoch
BEGIN SELECT RAISE(ABORT, 'the epoch never goes back'); END;

CREATE TABLE device (
    identity      TEXT PRIMARY KEY,
    peer          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    sub           TEXT NOT NULL,
    ticket        TEXT NOT NULL UNIQUE,
    enrolled_at   INTEGER NOT NULL,
    revoked_epoch INTEGER
) STRICT;
CREATE INDEX device_of_sub ON device (sub);

CREATE TRIGGER device_stays_revoked BEFORE UPDATE ON device
WHEN OLD.revoked_epoch IS NOT NULL AND NEW.revoked_epoch IS NULL
BEGIN SELECT RAISE(ABORT, 'a revoked key stays revoked'); END;
CREATE TRIGGER device_never_leaves BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'a used ticket stays used'); END;

CREATE TABLE revocation (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('subject', 'device')),
    who         TEXT NOT NULL,
    epoch       INTEGER NOT NULL UNIQUE,
    ordered_at  INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    jws         TEXT NOT NULL
) STRICT;
CREATE INDEX revocation_of ON revocation (kind, who);

CREATE TABLE seen (
    name    TEXT PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version >= 0),
    digest  BLOB NOT NULL
) STRICT;

CREATE TRIGGER seen_never_falls BEFORE UPDATE ON seen WHEN NEW.version < OLD.version
BEGIN SELECT RAISE(ABORT, 'a version never goes back'); END;
CREATE TRIGGER seen_never_leaves BEFORE DELETE ON seen
BEGIN SELECT RAISE(ABORT, 'a version never goes back'); END;

PRAGMA user_version = 1;
