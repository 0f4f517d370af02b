-- Experiments: what a person did in the arms they are in, and sums over all people of an arm.

-- Experiment's number -> arm, and counts of lists shown, clicks, carts and orders (store/parts.py), for running
-- experiments only; gone with the consent to experiments.
ALTER TABLE profiles ADD COLUMN experiments BLOB;

-- Sums over the people of an arm, and of squares: id = experiment's number * 64 + the arm's place.
CREATE TABLE experiment_sums (
    id INTEGER PRIMARY KEY,
    people INTEGER NOT NULL,
    lists INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    carts INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    lists_squared INTEGER NOT NULL,
    clicks_squared INTEGER NOT NULL,
    carts_squared INTEGER NOT NULL,
    orders_squared INTEGER NOT NULL,
    clicks_of_lists INTEGER NOT NULL
);

-- The sums as they were when they were last allowed to be told, per day: id = experiment's number * 65536 + day since 1970.
CREATE TABLE experiment_reports (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
