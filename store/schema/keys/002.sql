-- When epoch keys were made and destroyed. It names epochs, never a key: nothing here helps to make one again.
CREATE TABLE key_history (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- `personalize rotate` beside a running server: the server finds the wish here, rotates, and takes it away.
CREATE TABLE rotation_asked (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL
);

-- Which ring of keys this is: person.db notes it, so that foreign or outdated keys are refused instead of silently
-- cutting everyone from their data.
CREATE TABLE ring (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL
);
INSERT INTO ring (one, name) VALUES (1, lower(hex(randomblob(8))));
