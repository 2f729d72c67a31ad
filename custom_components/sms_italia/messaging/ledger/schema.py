"""The tables of the ledger, as SQL, and how an older file becomes today's."""

from collections.abc import Mapping

APPLICATION_ID = 0x534D5349
"""Marks a file as ours ("SMSI"); SQLite keeps it in the header."""

SCHEMA_VERSION = 4

_RUNS_SCHEMA = """
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    escalation TEXT NOT NULL,
    ended REAL,
    state TEXT NOT NULL
);
CREATE INDEX runs_by_escalation ON runs (escalation, run);
CREATE INDEX dispatches_by_run ON dispatches (run) WHERE run IS NOT NULL;
"""

_RECEPTIONS_SCHEMA = """
CREATE TABLE receptions (
    account TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID;
"""

_DUE_INDEX = "CREATE INDEX dispatches_by_due ON dispatches (account, due);"

MIGRATIONS: Mapping[int, str] = {
    1: f"""
        ALTER TABLE dispatches ADD COLUMN is_bulk INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE dispatches ADD COLUMN run INTEGER;
        ALTER TABLE messages ADD COLUMN size INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE messages ADD COLUMN from_backup INTEGER NOT NULL DEFAULT 0;
        {_RUNS_SCHEMA}
    """,
    2: f"{_RECEPTIONS_SCHEMA}{_DUE_INDEX}",
    3: "ALTER TABLE messages ADD COLUMN is_resent INTEGER NOT NULL DEFAULT 0;",
}
"""For each older version, the SQL that makes it the next one."""

_MESSAGES_SCHEMA = """
CREATE TABLE dispatches (
    dispatch INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    text TEXT NOT NULL,
    encoding TEXT NOT NULL,
    text_parts INTEGER NOT NULL,
    created REAL NOT NULL,
    due REAL NOT NULL,
    expires REAL NOT NULL,
    route TEXT NOT NULL,
    sender TEXT,
    send_at REAL,
    channel TEXT,
    mode TEXT,
    groups TEXT,
    reference TEXT,
    user TEXT,
    is_bulk INTEGER NOT NULL,
    run INTEGER
);
CREATE INDEX dispatches_by_account ON dispatches (account, created);
CREATE INDEX dispatches_by_due ON dispatches (account, due);
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
    changed_at REAL NOT NULL,
    parts INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_account TEXT,
    submission TEXT,
    provider_id TEXT,
    cost INTEGER,
    error TEXT,
    detail TEXT,
    attempt_at REAL,
    type TEXT,
    joined_in INTEGER,
    size INTEGER NOT NULL,
    unanswered TEXT,
    failed_over_from TEXT,
    from_backup INTEGER NOT NULL,
    marked_text TEXT,
    is_resent INTEGER NOT NULL,
    seen TEXT
);
CREATE INDEX messages_by_dispatch ON messages (dispatch);
CREATE INDEX messages_by_number ON messages (number);
CREATE INDEX messages_by_recipient ON messages (recipient, dispatch)
    WHERE recipient IS NOT NULL;
CREATE INDEX messages_open ON messages (dispatch) WHERE stage <> 'closed';
CREATE INDEX messages_undelivered ON messages (dispatch)
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
CREATE TABLE clock (
    clock TEXT NOT NULL,
    steady REAL NOT NULL,
    wall REAL NOT NULL
);
CREATE TABLE properties (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO properties VALUES ('id', hex(randomblob(16)));
"""

SCHEMA = f"{_MESSAGES_SCHEMA}{_RUNS_SCHEMA}{_RECEPTIONS_SCHEMA}"
