"""The tables of the server's database, one description for every kind of database.

Times are whole seconds since 1970 by the server's own clock, as on the service; money is
whole cents. ``due_at`` is the next moment at which a row changes by itself (expiry,
abandonment, automatic approval, disposal): what is due is found by one look at an index,
so nothing has to be polled.

The number in :data:`VERSION` is written into the database; raise it with every change here.
"""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

VERSION = 1

metadata = sqlalchemy.MetaData()

# SQLite numbers rows by itself only in a column declared exactly INTEGER PRIMARY KEY.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("requester", String(64), primary_key=True),
    # available + held + paid + fees = deposited, always
    Column("available_cents", BigInteger, nullable=False),
    Column("held_cents", BigInteger, nullable=False),
    Column("paid_cents", BigInteger, nullable=False),
    Column("fees_cents", BigInteger, nullable=False),
    Column("deposited_cents", BigInteger, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("requester", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("hit_id", String(64)),
    Column("assignment_id", String(64)),
    Column("available_cents", BigInteger, nullable=False),
    Column("held_cents", BigInteger, nullable=False),
    Column("paid_cents", BigInteger, nullable=False),
    Column("fees_cents", BigInteger, nullable=False),
)

hit_types = Table(
    "hit_types",
    metadata,
    Column("hit_type_id", String(64), primary_key=True),
    Column("hit_group_id", String(64), nullable=False, unique=True),
    Column("requester", String(64), nullable=False),
    # SHA-256 of the normalised properties: equal properties are one type
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("keywords", Text),
    Column("reward_cents", BigInteger, nullable=False),
    Column("assignment_duration_seconds", BigInteger, nullable=False),
    Column("auto_approval_delay_seconds", BigInteger, nullable=False),
    Column("requirements", Text, nullable=False),
    sqlalchemy.UniqueConstraint("requester", "fingerprint"),
)

hits = Table(
    "hits",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("hit_id", String(64), nullable=False, unique=True),
    Column("requester", String(64), nullable=False),
    Column("hit_type_id", String(64), ForeignKey("hit_types.hit_type_id"), nullable=False),
    Column("annotation", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("max_assignments", BigInteger, nullable=False),
    Column("reward_cents", BigInteger, nullable=False),
    Column("fee_cents", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("submitted", BigInteger, nullable=False),
    Column("approved", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("reviewing", Integer, nullable=False),
    Column("reviewable_since", BigInteger),
    Column("deleted_at", BigInteger),
    Column("held_cents", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("due_at", BigInteger),
)
Index(
    "hits_listed",
    hits.c.requester,
    hits.c.sequence,
    sqlite_where=hits.c.deleted_at.is_(None),
    postgresql_where=hits.c.deleted_at.is_(None),
)
Index("hits_by_status", hits.c.requester, hits.c.status, hits.c.sequence)
Index("hits_by_type", hits.c.hit_type_id, hits.c.status, hits.c.sequence)
Index("hits_open", hits.c.status, hits.c.sequence)
Index("hits_due", hits.c.due_at)

# Apart from hits, because SQLite writes a whole row anew with each change of it, and a
# question may have 65,535 bytes.
questions = Table(
    "questions",
    metadata,
    Column("hit_id", String(64), ForeignKey("hits.hit_id"), primary_key=True),
    Column("question", Text, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("assignment_id", String(64), nullable=False, unique=True),
    Column("hit_id", String(64), ForeignKey("hits.hit_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("submitted_at", BigInteger),
    Column("auto_approval_at", BigInteger),
    Column("approved_at", BigInteger),
    Column("rejected_at", BigInteger),
    Column("answer", Text),
    Column("feedback", Text),
    Column("due_at", BigInteger),
)
Index(
    "assignments_by_hit", assignments.c.hit_id, assignments.c.submitted_at, assignments.c.sequence
)
Index("assignments_by_worker", assignments.c.worker_id, assignments.c.sequence)
Index("assignments_due", assignments.c.due_at)
# The database itself refuses a second assignment of one HIT to one worker, whatever the code
# does. Returned and abandoned ones don't count: such a HIT may be accepted again.
_KEPT = assignments.c.state.in_(["Accepted", "Submitted", "Approved", "Rejected"])
Index(
    "assignments_one_a_worker",
    assignments.c.hit_id,
    assignments.c.worker_id,
    unique=True,
    sqlite_where=_KEPT,
    postgresql_where=_KEPT,
)

request_tokens = Table(
    "request_tokens",
    metadata,
    Column("requester", String(64), primary_key=True),
    Column("operation", String(64), primary_key=True),
    Column("token", String(64), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("hit_id", String(64), nullable=False),
)
Index("request_tokens_by_age", request_tokens.c.used_at)
