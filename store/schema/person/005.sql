-- In how many windows of the privacy budget a person was learned from, and the last of them (budget.db, windows.number).
-- In the row of the person, so that it moves with a new number and goes with the person.
ALTER TABLE profiles ADD COLUMN learned_windows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN learned_last INTEGER NOT NULL DEFAULT 0;
