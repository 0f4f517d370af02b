-- What the shop sells. Nothing in this file is about a person.
CREATE TABLE items (
  number INTEGER PRIMARY KEY,   -- row of every column and of every learned array: given once, never reused
  id TEXT NOT NULL UNIQUE,      -- the shop's own
  body BLOB NOT NULL,           -- store.records.Item as msgpack; empty once the item was deleted
  updated INTEGER NOT NULL      -- epoch seconds
) STRICT;
