-- What is known of the documents that senders gave names, so that one that comes again is known after its batch went to a
-- segment. `last` is the last batch whose documents are in the row. Bodies are sealed.
CREATE TABLE documents (
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    last INTEGER NOT NULL,
    received_ns INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant, class, last)
) STRICT, WITHOUT ROWID;
