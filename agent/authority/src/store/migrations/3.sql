-- Outlets that were enrolled by ticket: one row for each ticket, for ever. Which of them still count is for the catalogue to say.

CREATE TABLE outlet (
    ticket        TEXT PRIMARY KEY,
    service       TEXT NOT NULL,
    identity      TEXT NOT NULL,
    peer          TEXT NOT NULL,
    noise         TEXT NOT NULL,
    ticket_jws    TEXT NOT NULL,
    enrolment_jws TEXT NOT NULL,
    enrolled_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX outlet_of_service ON outlet (service);

CREATE TRIGGER outlet_never_leaves BEFORE DELETE ON outlet
BEGIN SELECT RAISE(ABORT, 'a used ticket stays used'); END;
CREATE TRIGGER outlet_never_changes BEFORE UPDATE ON outlet
BEGIN SELECT RAISE(ABORT, 'a used ticket stays used'); END;

PRAGMA user_version = 3;
