-- Catalogues that are read whole. Which items a feed brought: what is gone from it later is taken out, and nothing else.
CREATE TABLE feeds (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  etag TEXT NOT NULL DEFAULT '',
  modified TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE feed_items (
  number INTEGER PRIMARY KEY,   -- of items
  feed INTEGER NOT NULL         -- of feeds
) STRICT;
CREATE TABLE imports (
  id INTEGER PRIMARY KEY,
  feed TEXT NOT NULL,
  at INTEGER NOT NULL,          -- epoch seconds
  result TEXT NOT NULL          -- JSON: app.feeds.take.Taken
) STRICT;
