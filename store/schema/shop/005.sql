-- The shop's pages as marketers arranged them: sections and banners, drafted and published. No visitor is in them;
-- `author` is the name of an account of staff.
CREATE TABLE page_versions (
  number INTEGER PRIMARY KEY,   -- p1, p2 …: the highest is in force, over the configuration
  body BLOB NOT NULL,           -- JSON, app/experiences/book.py
  author TEXT NOT NULL,
  at INTEGER NOT NULL,          -- epoch seconds
  note TEXT NOT NULL,
  copy_of INTEGER NOT NULL      -- rolled back to this version; 0: written anew, or the configuration
) STRICT;
CREATE TABLE page_draft (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  body BLOB NOT NULL,
  revision INTEGER NOT NULL,    -- counts the changes
  based_on INTEGER NOT NULL,    -- the version it began as
  author TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
