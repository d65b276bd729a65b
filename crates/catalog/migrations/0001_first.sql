-- Bodies are sealed: they name what senders said (bounds, counts), and whoever changes a row must be noticed.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE segments (
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, class, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE heads (
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, class)
) STRICT, WITHOUT ROWID;

-- HMACs of the keys that senders gave their batches, so that a retry is recognised after its batch went to a segment.
CREATE TABLE batch_keys (
    tenant TEXT NOT NULL,
    hmac BLOB NOT NULL,
    received_ns INTEGER NOT NULL,
    PRIMARY KEY (tenant, hmac)
) STRICT, WITHOUT ROWID;
