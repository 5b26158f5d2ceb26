-- From version 1 to version 2.

-- What a run was made of, and until when it sleeps.
ALTER TABLE runs ADD COLUMN parent TEXT;        -- the id of the run that it was made of
ALTER TABLE runs ADD COLUMN parent_how TEXT;    -- what made it: `rerun`, `fork`
ALTER TABLE runs ADD COLUMN wake_at INTEGER;    -- NULL: it is awake; 9223372036854775807: somebody has to wake it
ALTER TABLE runs ADD COLUMN result_file TEXT;   -- where the result is, if it is beside the database

-- Those that are awake come first and by number; then those that sleep, by time.
CREATE INDEX runs_by_wake ON runs (wake_at) WHERE ended_at IS NULL;
-- Keys have a beginning in common where a schedule gives them, whose runs that
-- have ended grow without end.
CREATE INDEX runs_unfinished_by_key ON runs (key) WHERE ended_at IS NULL AND key IS NOT NULL;
CREATE INDEX runs_by_fingerprint ON runs (fingerprint);
CREATE INDEX runs_result_files ON runs (result_file) WHERE result_file IS NOT NULL;

-- A value larger than 64 KiB is a file in the directory whose name is that of
-- the database with `-values` at its end. The column has its SHA-256, the
-- first two digits of which name a directory in there.
ALTER TABLE journal ADD COLUMN value_file TEXT;

CREATE INDEX journal_value_files ON journal (value_file) WHERE value_file IS NOT NULL;

-- Workflows, as the runs here follow them.
CREATE TABLE blueprints (
    hash      INTEGER PRIMARY KEY,   -- the `fingerprint` of the runs; 64 bits, signed here
    blueprint TEXT NOT NULL          -- JSON
) STRICT;

-- The blueprints that a run followed before it was taken up again: the
-- beginning of its journal is read with them.
CREATE TABLE followed (
    run  INTEGER NOT NULL REFERENCES runs (run),
    hash INTEGER NOT NULL,
    PRIMARY KEY (run, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX followed_by_hash ON followed (hash);

-- What operators asked for, from any process, and what became of it. No
-- number is given twice.
CREATE TABLE requests (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    run         TEXT,               -- the id of the run it is about
    operation   TEXT NOT NULL,      -- JSON
    actor       TEXT NOT NULL,
    reason      TEXT,
    at          INTEGER NOT NULL,
    answered_at INTEGER,            -- NULL: nobody has seen to it
    done        TEXT,               -- the id of the run that it was done to, or that it made
    refused     TEXT                -- why it was not done
) STRICT;

CREATE INDEX requests_open ON requests (number) WHERE answered_at IS NULL;
CREATE INDEX requests_answered ON requests (answered_at) WHERE answered_at IS NOT NULL;
CREATE INDEX requests_by_run ON requests (run, number);

-- How far the schedules are.
CREATE TABLE schedules (
    number   INTEGER PRIMARY KEY,
    schedule TEXT NOT NULL UNIQUE,
    mark     INTEGER NOT NULL       -- the last tick that was dealt with
) STRICT;

-- Results that later runs may use.
CREATE TABLE remembered (
    number     INTEGER PRIMARY KEY,
    key        BLOB NOT NULL UNIQUE, -- of task, version and arguments
    task       TEXT NOT NULL,
    until      INTEGER NOT NULL,     -- at this time not any more
    value      ANY,
    value_type TEXT NOT NULL,
    value_file TEXT
) STRICT;

CREATE INDEX remembered_until ON remembered (until);
CREATE INDEX remembered_value_files ON remembered (value_file) WHERE value_file IS NOT NULL;

-- The keys that values are encrypted with, themselves encrypted with a key
-- that is not here.
CREATE TABLE keys (
    id          INTEGER PRIMARY KEY,
    sealed_with TEXT NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;

-- What tasks have done to tables of their own, in transactions of this
-- database: a row is written by the transaction that it is about.
CREATE TABLE effects (
    number     INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL REFERENCES runs (run),
    key        TEXT NOT NULL UNIQUE,  -- the idempotency key of the step
    value      ANY,                   -- what the task returned
    value_type TEXT NOT NULL,
    value_file TEXT
) STRICT;

CREATE INDEX effects_by_run ON effects (run);
CREATE INDEX effects_value_files ON effects (value_file) WHERE value_file IS NOT NULL;

-- What attempts said. Nothing is restored from it.
CREATE TABLE log_lines (
    number  INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs (run),
    path    TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    undo    INTEGER NOT NULL,        -- 1 where the attempt was to undo the step
    seq     INTEGER NOT NULL,        -- within the attempt: 0, 1, 2, ..., with gaps where lines were dropped
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL,
    text    ANY NOT NULL
) STRICT;

CREATE INDEX log_lines_by_run ON log_lines (run);

-- Everything from here on is for people.

DROP VIEW attempts;
DROP VIEW steps;
DROP VIEW step_changes;
DROP VIEW run_list;

CREATE VIEW run_list AS
SELECT
    run,
    id,
    workflow,
    key,
    state,
    strftime('%Y-%m-%d %H:%M:%f', created_at / 1e9, 'unixepoch') AS created,
    strftime('%Y-%m-%d %H:%M:%f', ended_at / 1e9, 'unixepoch') AS ended,
    round((ended_at - created_at) / 1e9, 3) AS seconds,
    parent,
    parent_how,
    CASE
        WHEN wake_at IS NULL THEN NULL
        WHEN wake_at = 9223372036854775807 THEN 'when somebody wakes it'
        ELSE strftime('%Y-%m-%d %H:%M:%f', wake_at / 1e9, 'unixepoch')
    END AS wakes,
    params,
    iif(result_file IS NULL, result, 'in the file ' || substr(result_file, 1, 2) || '/' || substr(result_file, 3))
        AS result,
    iif(json_valid(error), error, '{}') ->> '$.step' AS failed_step,
    (
        SELECT group_concat(value, ': ')
        FROM json_each(iif(json_valid(error), error, '{}'), '$.failure.messages')
    ) AS error
FROM runs;

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
WHERE change.type = 'object';

-- The last state of every step.
CREATE VIEW steps AS
SELECT
    last.run,
    runs.id,
    runs.workflow,
    last.path,
    last.task,
    last.state,
    last.attempt,
    last.waits_for,
    strftime('%Y-%m-%d %H:%M:%f', last.until / 1e9, 'unixepoch') AS until,
    strftime('%Y-%m-%d %H:%M:%f', last.at / 1e9, 'unixepoch') AS since,
    last.error
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY run, path ORDER BY position DESC, number DESC) AS back
    FROM step_changes
) AS last
JOIN runs ON runs.run = last.run
WHERE last.back = 1;

-- Every attempt, and every undo: from the change that started it to the next
-- change of its step. An attempt that is followed by another one, and not by
-- an end or a backoff, went with its process: interrupted where the engine
-- was shut down in good order, lost otherwise.
CREATE VIEW attempts AS
SELECT
    began.run,
    runs.id,
    runs.workflow,
    began.path,
    began.task,
    iif(began.state = 'undoing', 'undo', 'attempt') AS kind,
    began.attempt,
    strftime('%Y-%m-%d %H:%M:%f', began.at / 1e9, 'unixepoch') AS started,
    strftime('%Y-%m-%d %H:%M:%f', began.ended_at / 1e9, 'unixepoch') AS ended,
    round((began.ended_at - began.at) / 1e9, 3) AS seconds,
    CASE
        WHEN began.end_cause IS NOT NULL THEN began.end_cause
        WHEN began.end_state IS NULL THEN 'running'
        WHEN began.end_state IN ('succeeded', 'cached', 'undone') THEN 'ok'
        WHEN began.end_state = 'failed' THEN 'error'
        WHEN began.end_state = 'cancelled' THEN 'cancelled'
        WHEN began.end_event = 'attempt_interrupted' THEN 'interrupted'
        ELSE 'lost'
    END AS outcome,
    began.end_error AS error
FROM (
    SELECT
        *,
        lead(at) OVER following AS ended_at,
        lead(event) OVER following AS end_event,
        lead(state) OVER following AS end_state,
        lead(cause) OVER following AS end_cause,
        lead(error) OVER following AS end_error
    FROM step_changes
    WINDOW following AS (PARTITION BY run, path ORDER BY position, number)
) AS began
JOIN runs ON runs.run = began.run
WHERE began.task IS NOT NULL AND began.state IN ('running', 'undoing');

-- Who asked for what, why, and what became of it; the newest last.
CREATE VIEW request_list AS
SELECT
    requests.number,
    strftime('%Y-%m-%d %H:%M:%f', requests.at / 1e9, 'unixepoch') AS asked,
    requests.actor,
    -- `"cancel"` is all there is to say; `{"set":{..}}` has more.
    CASE
        WHEN NOT json_valid(requests.operation) THEN requests.operation
        WHEN json_type(requests.operation) = 'object'
            THEN (SELECT key FROM json_each(requests.operation) LIMIT 1)
        ELSE requests.operation ->> '$'
    END AS operation,
    iif(
        json_valid(requests.operation) AND json_type(requests.operation) = 'object',
        (SELECT value FROM json_each(iif(json_valid(requests.operation), requests.operation, '{}')) LIMIT 1),
        NULL
    ) AS details,
    requests.run,
    runs.workflow,
    requests.reason,
    CASE
        WHEN requests.answered_at IS NULL THEN 'open'
        WHEN requests.refused IS NULL THEN 'done'
        ELSE 'refused'
    END AS outcome,
    strftime('%Y-%m-%d %H:%M:%f', requests.answered_at / 1e9, 'unixepoch') AS answered,
    coalesce(requests.refused, requests.done) AS answer
FROM requests
LEFT JOIN runs ON runs.id = requests.run
ORDER BY requests.number;

-- What attempts said, run by run, and in each in the order in which the lines
-- were stored.
CREATE VIEW logs AS
SELECT
    log_lines.run,
    runs.id,
    runs.workflow,
    strftime('%Y-%m-%d %H:%M:%f', log_lines.at / 1e9, 'unixepoch') AS at,
    upper(log_lines.level) AS level,
    log_lines.path,
    iif(log_lines.undo, 'undo', 'attempt') AS kind,
    log_lines.attempt,
    log_lines.text AS line
FROM log_lines
JOIN runs ON runs.run = log_lines.run
ORDER BY log_lines.run, log_lines.number;
