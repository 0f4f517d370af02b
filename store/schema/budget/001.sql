-- What learning across people has cost. Nothing in this file is about a person; it is only ever added to.

-- A window: the time in which one budget is spent, on the events from `data_from` on. The next window's events begin
-- where the last run of this one stopped reading, so that every event is used in one window only.
CREATE TABLE windows (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    began REAL NOT NULL,
    data_from REAL NOT NULL
);

-- A training: `window` where it may spend ("dp"); it read events until `data_until`.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    window INTEGER REFERENCES windows(number),
    mode TEXT NOT NULL,
    epsilon REAL,
    delta REAL,
    began REAL NOT NULL,
    data_until REAL NOT NULL,
    ended REAL,
    generation TEXT
);

-- A release, written before there is anything to publish. `multiplier` is its noise in units of its sensitivity, `cost`
-- the μ² that takes (NULL where there is no noise and so no price to speak of).
CREATE TABLE debits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs(id),
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    sensitivity REAL NOT NULL,
    multiplier REAL NOT NULL,
    cost REAL,
    at REAL NOT NULL,
    UNIQUE (run, name, step)
);
