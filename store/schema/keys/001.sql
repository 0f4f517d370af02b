-- Every secret of the node. Integer keys only: a deleted key must not survive in an index page.

-- Random keys per domain and epoch: id = epoch * 64 + domain (store/keys.py).
CREATE TABLE epoch_keys (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    began INTEGER NOT NULL
);

-- Secrets that do not rotate with the epochs: 1 = the node key that wraps people's keys, 2 = the shop's signing secret.
CREATE TABLE secrets (
    id INTEGER PRIMARY KEY,
    value BLOB NOT NULL
);

-- One random key per person who keeps anything in the vault, wrapped by the node key; deleting it shreds the vault rows.
CREATE TABLE person_keys (
    person INTEGER PRIMARY KEY,
    wrapped BLOB NOT NULL
);

-- Keys of the API: public ones in the clear (they stand in every page), secret ones only as a digest.
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    shown TEXT NOT NULL,
    origins TEXT NOT NULL,
    events TEXT NOT NULL,
    created INTEGER NOT NULL
);
