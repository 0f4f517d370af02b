-- What is known of people, and the log it was derived from: one file, so that event, feature and position move together.
-- No index but the integer primary keys: SQLite leaves stale copies of index entries behind, integer-keyed rows it wipes.

-- The only way from a pseudonym to its data. key: the first 63 bits of the pseudonym, or up to 3 more (store/person.py);
-- epoch: whose key made the pseudonym; with that key's death the row goes.
CREATE TABLE people (
    key INTEGER PRIMARY KEY,
    pseudonym BLOB NOT NULL,
    surrogate INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);

-- Moves that are not finished: what `old` keeps in the vault has to go to `new` (store/moves.py). A row lives for
-- milliseconds; once it is gone nothing leads from one number to the other. categories: a purpose set.
CREATE TABLE moves (
    id INTEGER PRIMARY KEY,
    old INTEGER NOT NULL,
    new INTEGER NOT NULL,
    categories INTEGER NOT NULL
);

-- Which ring of keys, up to which epoch, this file was written with: other or older keys are refused.
CREATE TABLE written_with (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    ring TEXT NOT NULL,
    epoch INTEGER NOT NULL
);

-- The consent in force lies beside the features, so that one read answers both "what" and "may I".
CREATE TABLE profiles (
    surrogate INTEGER PRIMARY KEY,
    consent INTEGER NOT NULL,
    consent_version TEXT NOT NULL,
    consent_at INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    session BLOB,
    profile BLOB
);

-- Keyed hashes of event ids already counted, with the day (since 1970) they came in.
CREATE TABLE seen (
    id INTEGER PRIMARY KEY,
    day INTEGER NOT NULL
);

-- The log: events_YYYYMMDD(seq, person, at, body) is made for each day of event time and dropped whole.
CREATE TABLE event_log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL
);
INSERT INTO event_log (one, epoch, head) VALUES (1, lower(hex(randomblob(8))), 0);

-- What waits for the vault: ciphertext under the person's own key, gone as soon as the vault has it.
CREATE TABLE sealed (
    seq INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    parts BLOB NOT NULL
);

-- How far each consumer of the log has come.
CREATE TABLE positions (
    consumer TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);

-- How far each import has come, so that it resumes where it stopped.
CREATE TABLE imports (
    source TEXT PRIMARY KEY,
    done INTEGER NOT NULL,
    updated INTEGER NOT NULL
);
