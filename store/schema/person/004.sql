-- What retention leaves behind: counts over many people, published once, and when each kind was last swept.

-- A published figure: so many people (rounded down, at least the threshold) in one cell of one report of one day.
-- Never changed after its day is published, so that no two versions of it differ by one person.
CREATE TABLE aggregates (
    id INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,
    report TEXT NOT NULL,
    cell TEXT NOT NULL,
    people INTEGER NOT NULL
);

-- Which days (since 1970) of which reports are published, also where nothing of them reached the threshold.
CREATE TABLE published (
    day INTEGER NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (day, report)
);

-- How far the days are whose events lead to nobody any more: the last sequence number done.
CREATE TABLE anonymized (
    day INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
);

-- What every sweep did, by kind of data.
CREATE TABLE sweeps (
    kind TEXT PRIMARY KEY,
    removed INTEGER NOT NULL,
    last_removed INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    oldest INTEGER
);
