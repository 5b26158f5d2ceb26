-- From version 2 to version 3.

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

-- For people: in the order of the runs, and in each in the order in which the
-- lines were stored.
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
