-- Version 1. Times are nanoseconds since 1970, in UTC. Values are kept as
-- text where they are text, so that they can be read here.

-- One row per run.
CREATE TABLE runs (
    run         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,    -- UUID, version 7
    workflow    TEXT NOT NULL,
    key         TEXT,                    -- names one run
    fingerprint INTEGER NOT NULL,        -- of the workflow's graph; 64 bits, signed here
    params      ANY NOT NULL,            -- a JSON array
    state       TEXT NOT NULL,           -- as last written; `steps` has what changes often
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    result      ANY,
    result_type TEXT,
    error       TEXT                     -- JSON: step, attempts, failure
) STRICT;

CREATE UNIQUE INDEX runs_by_key ON runs (key) WHERE key IS NOT NULL;
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_unfinished ON runs (run) WHERE ended_at IS NULL;
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;

-- What happened, in the order in which it was committed. Only appended to.
CREATE TABLE journal (
    position   INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL REFERENCES runs (run),
    seq        INTEGER NOT NULL,         -- within the run: 0, 1, 2, ... without a gap
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,            -- JSON; runs are restored from these
    value      ANY,                      -- what the event brought
    value_type TEXT,
    changes    TEXT                      -- JSON, for the views below; nothing is restored from it
) STRICT;

CREATE UNIQUE INDEX journal_by_run ON journal (run, seq);

-- Everything from here on is for people.

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
    params,
    result,
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
-- an end or a backoff, was lost with its process.
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
        WHEN began.end_state IN ('succeeded', 'undone') THEN 'ok'
        WHEN began.end_state = 'failed' THEN 'error'
        WHEN began.end_state = 'cancelled' THEN 'cancelled'
        ELSE 'lost'
    END AS outcome,
    began.end_error AS error
FROM (
    SELECT
        *,
        lead(at) OVER following AS ended_at,
        lead(state) OVER following AS end_state,
        lead(cause) OVER following AS end_cause,
        lead(error) OVER following AS end_error
    FROM step_changes
    WINDOW following AS (PARTITION BY run, path ORDER BY position, number)
) AS began
JOIN runs ON runs.run = began.run
WHERE began.task IS NOT NULL AND began.state IN ('running', 'undoing');
