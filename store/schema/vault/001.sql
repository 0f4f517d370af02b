-- What a person opted into keeping, encrypted under the person's own key (store/vault.py): one row per person, one
-- table per category, so that withdrawing a category touches nothing else.

CREATE TABLE purchases (
    person INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE searches (
    person INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE locations (
    person INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- How far into which log (its epoch) the vault has come.
CREATE TABLE applied (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    position INTEGER NOT NULL
);
INSERT INTO applied (one, epoch, position) VALUES (1, '', 0);
