-- What is tried out: experiments as marketers wrote them. Who is in which arm is nowhere in this file.
CREATE TABLE experiments (
  number INTEGER PRIMARY KEY,   -- in people's rows and in sums: given once, never reused
  key TEXT NOT NULL UNIQUE,
  body BLOB NOT NULL            -- store.experiments.Experiment as msgpack
) STRICT;

CREATE TABLE experiment_numbers (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  next INTEGER NOT NULL
) STRICT;
INSERT INTO experiment_numbers (one, next) VALUES (1, 1);
