-- Consent: what a person objected to, whether use is suspended, the ledger of every decision, vault entries to be removed.

-- objected: purposes objected to (Art. 21); never granted again but by name. restricted: 0, else 128 + the purposes that
-- hold again once the restriction ends (Art. 18); consent is 0 meanwhile. ledger: the person's own key to what the ledger
-- says about them, and where (store/consent_ledger.py); without it nothing leads from the ledger to anyone.
ALTER TABLE profiles ADD COLUMN objected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN ledger BLOB;

-- Every decision, appended only, each row's hash over the one before: a byte changed anywhere breaks the chain.
CREATE TABLE consent_ledger (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    commitment BLOB NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
);

-- Where the chain begins, once its oldest rows have expired.
CREATE TABLE ledger_start (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO ledger_start (one, seq, hash) VALUES (1, 0, zeroblob(32));

-- Categories of the vault that a person no longer agrees to, until the other file has forgotten them: position is how far
-- the vault has to have come in the log, so that nothing on its way arrives afterwards.
CREATE TABLE withdrawals (
    person INTEGER PRIMARY KEY,
    categories INTEGER NOT NULL,
    position INTEGER NOT NULL
);
