-- Erasure: how a person's rows are found without an index, who must not come back, and what is still to be finished.

-- Where in the log the person's rows lie: runs of (day, first, last), store/trace.py.
ALTER TABLE profiles ADD COLUMN trace BLOB;

-- Who was erased, as 63 keyed bits in a key domain of its own: late and replayed events find their end here. lifted_ms:
-- when the person decided anew, 0 = never. until: epoch seconds at which no sender can replay any more.
CREATE TABLE suppressed (
    key INTEGER PRIMARY KEY,
    erased_ms INTEGER NOT NULL,
    lifted_ms INTEGER NOT NULL,
    until INTEGER NOT NULL
);

-- Work across files that has to be finished after any crash. state is sealed under the node key and goes at the end.
CREATE TABLE sagas (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    step TEXT NOT NULL,
    began INTEGER NOT NULL,
    state BLOB NOT NULL
);

-- What people asked for and when the law wants it answered. subject is sealed under the node key and goes with the
-- answer; then only a commitment is left, which nobody can open but the holder of the receipt.
CREATE TABLE privacy_requests (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    state TEXT NOT NULL,
    opened INTEGER NOT NULL,
    acknowledge_by INTEGER NOT NULL,
    due INTEGER NOT NULL,
    extended INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    commitment BLOB NOT NULL,
    subject BLOB,
    receipt BLOB
);
