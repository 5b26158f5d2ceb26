-- From version 2 to version 3.

-- Since when a sleeping run waits for its next attempt. NULL: it waits for
-- something else. A wall clock that is set back makes no such wait longer.
ALTER TABLE runs ADD COLUMN backoff_since INTEGER;

CREATE INDEX runs_by_backoff ON runs (backoff_since) WHERE ended_at IS NULL AND backoff_since IS NOT NULL;

-- The rule that a mark belongs to: when the schedule is due, and in which time
-- zone. NULL: an earlier version has written it, and it belongs to any rule.
ALTER TABLE schedules ADD COLUMN rule TEXT;
