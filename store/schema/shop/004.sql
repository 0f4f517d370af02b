-- The marketer's rules: what is published, what is being written, and what they were applied to. No visitor is in them;
-- `author` is the name of an account of staff.
CREATE TABLE rule_versions (
  number INTEGER PRIMARY KEY,   -- r1, r2 …: the highest is in force
  body BLOB NOT NULL,           -- JSON, app/rules/model.py
  author TEXT NOT NULL,
  at INTEGER NOT NULL,          -- epoch seconds
  note TEXT NOT NULL,
  copy_of INTEGER NOT NULL      -- rolled back to this version; 0: written anew
) STRICT;
CREATE TABLE rule_draft (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  body BLOB NOT NULL,
  revision INTEGER NOT NULL,    -- counts the changes
  based_on INTEGER NOT NULL,    -- the version it began as
  author TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE rule_days (
  day INTEGER NOT NULL,         -- since the epoch, UTC
  rule TEXT NOT NULL,
  lists INTEGER NOT NULL,       -- lists for which the rule held
  items INTEGER NOT NULL,       -- items shown that it names
  clicks INTEGER NOT NULL,      -- of those, clicked
  PRIMARY KEY (day, rule)
) STRICT, WITHOUT ROWID;
CREATE TABLE personas (         -- visitors made up by staff, to look at the shop with
  id TEXT PRIMARY KEY,
  body BLOB NOT NULL            -- JSON, app/merchandising/personas.py
) STRICT, WITHOUT ROWID;
