-- Devices by approval: who vouched, how far from a ticket; and when each was last given a credential.

ALTER TABLE device ADD COLUMN vouched_by TEXT;
ALTER TABLE device ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN seen_at INTEGER;

PRAGMA user_version = 2;
