-- From version 4 to version 5.

-- Runs that are being removed: their rows in `runs` are gone, and what else
-- there is of them goes in pieces. Readers take no notice of it.
CREATE TABLE removals (
    run INTEGER PRIMARY KEY,
    id  TEXT NOT NULL
) STRICT;

-- The name by which the database is open, or was when its process was killed:
-- its log stands beside that one, and stays there when the database alone is
-- moved, copied or linked.
CREATE TABLE opened_as (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    path   BLOB NOT NULL
) STRICT;

-- Everything from here on is for people.

DROP VIEW step_changes;

CREATE VIEW step_changes AS
SELECT
    journal.run,
    journal.position,
    change.key AS number,
    journal.at,
    iif(json_valid(journal.event), journal.event, '{}') ->> '$.event' AS event,
    change.value ->> '$.path' AS path,
    change.value ->> '$.task' AS task,
    change.value ->> '$.state' AS state,
    change.value ->> '$.waits_for' AS waits_for,
    change.value ->> '$.until' AS until,
    change.value ->> '$.attempt' AS attempt,
    change.value ->> '$.failure.cause' AS cause,
    (SELECT group_concat(value, ': ') FROM json_each(change.value, '$.failure.messages')) AS error
FROM journal, json_each(iif(json_valid(journal.changes), journal.changes, '[]')) AS change
WHERE change.type = 'object' AND journal.run NOT IN (SELECT run FROM removals);
