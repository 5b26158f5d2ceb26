-- From version 3 to version 4.

-- How many steps of a run are suspected to end the process, and wait for an
-- operator: lists begin with these runs.
ALTER TABLE runs ADD COLUMN suspected INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_suspected ON runs (run) WHERE suspected > 0;

-- Everything from here on is for people.

CREATE VIEW suspected_steps AS
SELECT steps.run, steps.id, steps.workflow, steps.path, steps.task, steps.since, steps.error
FROM steps
JOIN runs ON runs.run = steps.run
WHERE runs.suspected > 0 AND steps.state = 'suspected';
