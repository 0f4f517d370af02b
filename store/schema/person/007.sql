-- Pinned or automatic: sums over the people who saw the places of a pin rule, in the arm that pins and in the one that does
-- not, and what of them was told last. What one person did there is part of profiles.experiments (store/parts.py).
CREATE TABLE place_sums (
    experiment INTEGER NOT NULL,
    arm INTEGER NOT NULL,           -- its place in the design
    rule INTEGER NOT NULL,          -- app/rules/model.py, number_of
    people INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    clicked INTEGER NOT NULL,
    bought INTEGER NOT NULL,
    shown_squared INTEGER NOT NULL,
    clicked_squared INTEGER NOT NULL,
    bought_squared INTEGER NOT NULL,
    clicked_of_shown INTEGER NOT NULL,
    bought_of_shown INTEGER NOT NULL,
    PRIMARY KEY (experiment, arm, rule)
) WITHOUT ROWID;
CREATE TABLE place_reports (
    experiment INTEGER NOT NULL,
    rule INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (experiment, rule)
) WITHOUT ROWID;
