"""The tables of the server's database, one description for every kind of database.

Times are whole seconds since 1970 by the server's own clock, as on the service; money is
whole cents. ``due_at`` is the next moment at which a row changes by itself (expiry,
abandonment, automatic approval, disposal): what is due is found by one look at an index,
so nothing has to be polled.

The number in :data:`VERSION` is written into the database; raise it with every change here,
and have :mod:`turkbatch.server.store` bring older databases up to it.
"""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

VERSION = 2
"""2 added the tables of real people: from groups on to the end."""

metadata = sqlalchemy.MetaData()

# SQLite numbers rows by itself only in a column declared exactly INTEGER PRIMARY KEY.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

requester_keys = Table(
    "requester_keys",
    metadata,
    Column("access_key", String(64), primary_key=True),
    Column("requester", String(64), nullable=False),
    # As it is: signatures can't be verified by a hash of it
    Column("secret", String(64), nullable=False),
    # By the machine's clock
    Column("created_at", BigInteger, nullable=False),
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
    # When a qualification type that it requires was deleted, and it with that type.
    Column("deleted_at", BigInteger),
    sqlalchemy.UniqueConstraint("requester", "fingerprint"),
)

# Which HIT types require which qualification types, for the questions that need it turned round.
hit_type_requirements = Table(
    "hit_type_requirements",
    metadata,
    Column("hit_type_id", String(64), ForeignKey("hit_types.hit_type_id"), primary_key=True),
    Column("qualification_type_id", String(64), primary_key=True),
)
Index("requirements_by_qualification", hit_type_requirements.c.qualification_type_id)

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
    # The layout that it was made from, if any.
    Column("layout_id", String(64)),
)

layouts = Table(
    "layouts",
    metadata,
    Column("layout_id", String(64), primary_key=True),
    Column("requester", String(64), nullable=False),
    Column("page", Text, nullable=False),
    Column("frame_height", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
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

qualification_types = Table(
    "qualification_types",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("qualification_type_id", String(64), nullable=False, unique=True),
    Column("requester", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("keywords", Text),
    Column("status", String(16), nullable=False),
    Column("test", Text),
    Column("test_duration_seconds", BigInteger),
    Column("answer_key", Text),
    Column("retry_delay_seconds", BigInteger),
    Column("auto_granted", Integer, nullable=False),
    Column("auto_granted_value", BigInteger, nullable=False),
    # When its deletion was asked for; it is over later
    Column("deleted_at", BigInteger),
)
Index("qualification_types_by_owner", qualification_types.c.requester, qualification_types.c.name)

qualifications = Table(
    "qualifications",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("qualification_type_id", String(64), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("value", BigInteger),
    Column("granted_at", BigInteger, nullable=False),
    sqlalchemy.UniqueConstraint("qualification_type_id", "worker_id"),
)
Index("qualifications_by_worker", qualifications.c.worker_id)

# Requests of any state: those taking the test, waiting, decided.
qualification_requests = Table(
    "qualification_requests",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False, unique=True),
    Column("qualification_type_id", String(64), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    # By when the test must be handed in
    Column("deadline", BigInteger),
    Column("submitted_at", BigInteger),
    # As the worker saw it: an update of the type does not change a test that is being taken
    Column("test", Text),
    Column("answer_key", Text),
    Column("answer", Text),
)
Index(
    "qualification_requests_by_worker",
    qualification_requests.c.worker_id,
    qualification_requests.c.qualification_type_id,
)
Index(
    "qualification_requests_by_type",
    qualification_requests.c.qualification_type_id,
    qualification_requests.c.state,
)

# What is known about workers beyond their history here; without a row the defaults hold.
workers = Table(
    "workers",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("country", String(2)),
    Column("subdivision", String(2)),
    Column("masters", Integer, nullable=False),
    Column("adult", Integer, nullable=False),
    # What they did before they came to this server
    Column("approved_before", BigInteger, nullable=False),
    Column("rejected_before", BigInteger, nullable=False),
)

worker_blocks = Table(
    "worker_blocks",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("requester", String(64), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("blocked_at", BigInteger, nullable=False),
    sqlalchemy.UniqueConstraint("requester", "worker_id"),
)

# What workers are told: MTurk's mails.
messages = Table(
    "messages",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("worker_id", String(64), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
)
Index("messages_by_worker", messages.c.worker_id, messages.c.sequence)

bonuses = Table(
    "bonuses",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("requester", String(64), nullable=False),
    Column("hit_id", String(64), ForeignKey("hits.hit_id"), nullable=False),
    Column("assignment_id", String(64), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("fee_cents", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
)
Index("bonuses_by_hit", bonuses.c.hit_id, bonuses.c.sequence)
Index("bonuses_by_assignment", bonuses.c.assignment_id, bonuses.c.sequence)

review_policies = Table(
    "review_policies",
    metadata,
    Column("hit_id", String(64), ForeignKey("hits.hit_id"), primary_key=True),
    # Assignment or HIT
    Column("level", String(16), primary_key=True),
    # The structure as it was sent, in JSON
    Column("policy", Text, nullable=False),
)

# What review policies found and did, in the API's own structures.
review_records = Table(
    "review_records",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("hit_id", String(64), ForeignKey("hits.hit_id"), nullable=False),
    Column("level", String(16), nullable=False),
    # result or action
    Column("kind", String(16), nullable=False),
    Column("assignment_id", String(64)),
    Column("at", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
)
Index("review_records_by_hit", review_records.c.hit_id, review_records.c.sequence)

notification_settings = Table(
    "notification_settings",
    metadata,
    Column("hit_type_id", String(64), ForeignKey("hit_types.hit_type_id"), primary_key=True),
    Column("destination", Text, nullable=False),
    Column("transport", String(16), nullable=False),
    Column("version", String(16), nullable=False),
    Column("event_types", Text, nullable=False),
    Column("active", Integer, nullable=False),
)

# Messages about events: the log of all, and the outbox of those not delivered yet.
notifications = Table(
    "notifications",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("created_at", BigInteger, nullable=False),
    Column("transport", String(16), nullable=False),
    Column("destination", Text, nullable=False),
    Column("body", Text, nullable=False),
    # waiting, delivered or failed
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    # By the machine's clock, since delivery is not part of the simulated world
    Column("next_attempt_at", BigInteger),
    Column("error", Text),
)
Index("notifications_waiting", notifications.c.next_attempt_at)

uploads = Table(
    "uploads",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("assignment_id", String(64), nullable=False),
    Column("question_identifier", Text, nullable=False),
    Column("file_key", String(64), nullable=False, unique=True),
    Column("file_name", Text, nullable=False),
    Column("content", sqlalchemy.LargeBinary, nullable=False),
)
Index("uploads_by_assignment", uploads.c.assignment_id)

file_links = Table(
    "file_links",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("file_key", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# Real people: whoever signs in to the worker site, or arrives by a link, where others can
# reach it. Simulated workers and whoever signs in on a loopback address have no row here.

groups = Table(
    "groups",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # Days after which people who did nothing more are erased; null: never
    Column("retention_days", Integer),
    # Whether addresses and browsers are written down
    Column("records_addresses", Integer, nullable=False),
)

# What a group's people agree to. The newest version is in force; an empty text ends it.
consent_texts = Table(
    "consent_texts",
    metadata,
    Column("group_name", String(64), ForeignKey("groups.name"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("group_name", String(64), ForeignKey("groups.name"), nullable=False),
    # Who vouches for them: "invited", or a provider's name
    Column("origin", String(32), nullable=False),
    # What the provider calls them; null for those who were invited
    Column("participant_id", String(128)),
    # Argon2's own notation, with its parameters; null until one is set
    Column("password_hash", Text),
    # Raised to end all sessions
    Column("generation", Integer, nullable=False),
    # Since the last success. By the machine's clock, as all that concerns signing in
    Column("failed_sign_ins", Integer, nullable=False),
    Column("locked_until", BigInteger),
    Column("disabled_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    # To the day, which is all that a term in days needs
    Column("seen_at", BigInteger, nullable=False),
    sqlalchemy.UniqueConstraint("group_name", "origin", "participant_id"),
)

# One-time links, by a hash: who reads the database can't use them.
invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("worker_id", String(64), ForeignKey("people.worker_id"), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
Index("invitations_by_worker", invitations.c.worker_id)

# Who agreed to which version, or did not. Kept under the pseudonym of those who are erased.
consents = Table(
    "consents",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("worker_id", String(64), nullable=False),
    Column("group_name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("agreed", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Only where the group says so
    Column("address", Text),
    Column("browser", Text),
)
Index("consents_by_worker", consents.c.worker_id, consents.c.sequence)

# Recruiting links: the addresses that a platform sends its participants to.
links = Table(
    "links",
    metadata,
    # Part of the address, and not to be guessed
    Column("link_id", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("group_name", String(64), ForeignKey("groups.name"), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    # How many participants can be at work or done; null: any number
    Column("places", Integer),
    # HITs that each participant does at most
    Column("hits_each", Integer, nullable=False),
    # How long a place is kept for a participant who is at work
    Column("lease_seconds", BigInteger, nullable=False),
    # Names of parameters, codes, addresses and secrets, in JSON: turkbatch.server.recruiting
    Column("settings", Text, nullable=False),
    # When the provider was last asked what became of its submissions, by the machine's clock
    Column("synced_at", BigInteger),
)

# What the participants of a link do: HITs, or all of a HIT type.
link_work = Table(
    "link_work",
    metadata,
    Column("link_id", String(64), ForeignKey("links.link_id"), primary_key=True),
    # hit or hit_type
    Column("kind", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
)

# One participant's way through one session of a link.
visits = Table(
    "visits",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("visit_id", String(64), nullable=False, unique=True),
    Column("link_id", String(64), ForeignKey("links.link_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("participant_id", String(128), nullable=False),
    Column("study_id", String(128), nullable=False),
    Column("session_id", String(128), nullable=False),
    # Further parameters of the address that the link keeps, in JSON
    Column("extras", Text, nullable=False),
    # What proves the ids: nothing, api, or token
    Column("verified", String(16), nullable=False),
    # As turkbatch.server.links says
    Column("state", String(16), nullable=False),
    Column("arrived_at", BigInteger, nullable=False),
    # Until when a place is kept; null once the visit is over
    Column("holds_until", BigInteger),
    Column("ended_at", BigInteger),
    # What came of asking the provider to credit the participant, where that is done by us
    Column("credit", Text),
    Column("address", Text),
    Column("browser", Text),
    sqlalchemy.UniqueConstraint("link_id", "participant_id", "session_id"),
)
Index("visits_by_link", visits.c.link_id, visits.c.state)
Index("visits_by_worker", visits.c.worker_id)

# Which assignments were done in which visit.
visit_assignments = Table(
    "visit_assignments",
    metadata,
    Column("assignment_id", String(64), primary_key=True),
    Column("visit_id", String(64), ForeignKey("visits.visit_id"), nullable=False),
)
Index("visit_assignments_by_visit", visit_assignments.c.visit_id)

# Answers that came when their assignment was somebody else's already: kept, since they were
# given in good faith and may be paid.
late_answers = Table(
    "late_answers",
    metadata,
    Column("assignment_id", String(64), primary_key=True),
    Column("visit_id", String(64), ForeignKey("visits.visit_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("hit_id", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    # QuestionFormAnswers XML, as an assignment's
    Column("answer", Text, nullable=False),
)
Index("late_answers_by_visit", late_answers.c.visit_id)

# What the provider last said about its submissions to a link, those that never came included.
platform_submissions = Table(
    "platform_submissions",
    metadata,
    Column("link_id", String(64), ForeignKey("links.link_id"), primary_key=True),
    Column("session_id", String(128), primary_key=True),
    Column("participant_id", String(128), nullable=False),
    Column("study_id", String(128), nullable=False),
    # In the provider's words
    Column("status", String(64), nullable=False),
    Column("code", Text),
)

# What was written into files that a platform pays by, so that nothing is written twice.
payouts = Table(
    "payouts",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("link_id", String(64), ForeignKey("links.link_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    # approval or bonus
    Column("kind", String(16), nullable=False),
    # What it is for: a session, or a bonus; once for each
    Column("subject", String(128), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    # All that went into one file
    Column("file_id", String(64), nullable=False),
    sqlalchemy.UniqueConstraint("link_id", "kind", "subject"),
)
