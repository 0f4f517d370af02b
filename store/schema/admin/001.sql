-- Who operates the node, and what they did. Nothing in this file is about a visitor of the shop.

-- version grows with every change of password or roles: sessions begun under an older one are over.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    roles INTEGER NOT NULL,
    password TEXT NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL
);

-- Append-only until it is too old. `target` names a thing (a request's random id, an account, a key's number), never a
-- visitor.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL
);
