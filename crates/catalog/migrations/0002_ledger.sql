-- Pages of the ledger: what became of all that senders sent. A page stands for the batches `first` to `last` of its class.
-- Bodies are sealed: they name senders.
CREATE TABLE ledger (
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, class, first)
) STRICT, WITHOUT ROWID;
