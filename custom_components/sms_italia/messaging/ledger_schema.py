"""The tables of the ledger, as SQL."""

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE dispatches (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    text TEXT NOT NULL,
    encoding TEXT NOT NULL,
    parts INTEGER NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    route TEXT NOT NULL,
    sender TEXT,
    send_at REAL,
    channel TEXT,
    mode TEXT,
    groups TEXT,
    reference TEXT
);
CREATE INDEX dispatches_by_time ON dispatches (created, account);
CREATE INDEX dispatches_by_reference ON dispatches (reference)
    WHERE reference IS NOT NULL;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    dispatch INTEGER NOT NULL,
    number TEXT NOT NULL,
    recipient TEXT,
    status TEXT NOT NULL,
    stage TEXT NOT NULL,
    updated REAL NOT NULL,
    parts INTEGER NOT NULL,
    carrier TEXT,
    submission TEXT,
    provider_id TEXT,
    cost INTEGER,
    error TEXT,
    detail TEXT,
    attempt_at REAL,
    type TEXT,
    joined_in INTEGER,
    unanswered TEXT
);
CREATE INDEX messages_by_dispatch ON messages (dispatch);
CREATE INDEX messages_by_number ON messages (number);
CREATE INDEX messages_by_recipient ON messages (recipient, dispatch)
    WHERE recipient IS NOT NULL;
CREATE INDEX messages_open ON messages (dispatch) WHERE stage <> 'closed';
-- Most messages never are in it, so that it is written seldom.
CREATE INDEX messages_in_trouble ON messages (status)
    WHERE status IN ('failed', 'expired', 'uncertain');

CREATE TABLE pictures (
    dispatch INTEGER PRIMARY KEY,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE submissions (
    dispatch INTEGER NOT NULL,
    reference TEXT NOT NULL,
    account TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (dispatch, reference)
) WITHOUT ROWID;
CREATE TABLE totals (
    day TEXT NOT NULL,
    account TEXT NOT NULL,
    parts INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (day, account)
) WITHOUT ROWID;
CREATE TABLE identities (
    account TEXT PRIMARY KEY,
    identity TEXT NOT NULL
) WITHOUT ROWID;

-- How many messages there are: counting a million takes half a second.
CREATE TABLE counts (
    account TEXT NOT NULL,
    status TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (account, status)
) WITHOUT ROWID;
CREATE TRIGGER count_new AFTER INSERT ON messages BEGIN
    INSERT INTO counts
        SELECT account, new.status, 1 FROM dispatches WHERE id = new.dispatch
        ON CONFLICT DO UPDATE SET messages = messages + 1;
END;
CREATE TRIGGER count_turned AFTER UPDATE OF status ON messages
WHEN new.status <> old.status BEGIN
    INSERT INTO counts
        SELECT account, new.status, 1 FROM dispatches WHERE id = new.dispatch
        ON CONFLICT DO UPDATE SET messages = messages + 1;
    UPDATE counts SET messages = messages - 1 WHERE status = old.status
        AND account = (SELECT account FROM dispatches WHERE id = old.dispatch);
END;
CREATE TRIGGER count_forgotten AFTER DELETE ON messages BEGIN
    UPDATE counts SET messages = messages - 1 WHERE status = old.status
        AND account = (SELECT account FROM dispatches WHERE id = old.dispatch);
END;
"""
