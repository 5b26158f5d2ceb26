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
