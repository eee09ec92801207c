"""The tables of the current version; ``migrations`` holds the steps from older ones."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION = "0002"  # the newest file in migrations/versions

# PostgreSQL would sort ids by the rules of a language; SQLite sorts by bytes, and so it is quicker too.
Id = Text().with_variant(Text(collation="C"), "postgresql")
Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows itself only where it is called INTEGER

metadata = MetaData()

projects = Table(
    "poise_projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Id, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    UniqueConstraint("name", name="poise_projects_name"),
)

writers = Table(
    "poise_writers",
    metadata,
    Column("project", Integer, primary_key=True),
    Column("writer", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),  # the newest that this writer has made
)

events = Table(
    "poise_events",
    metadata,
    Column("id", Number, primary_key=True),  # the order of arrival
    Column("project", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("item_id", Id, nullable=False),
    Column("behaviour", Id, nullable=False),
    Column("value", Float(53)),
    Column("time", BigInteger, nullable=False),
    Column("event_id", Id),
    Column("context", Text),  # JSON
    Column("request_id", Id),
    Index("poise_events_history", "project", "user_id", "time"),
    Index("poise_events_version", "project", "version"),
    Index(
        "poise_events_event_id",
        "project",
        "event_id",
        unique=True,
        sqlite_where=text("event_id IS NOT NULL"),
        postgresql_where=text("event_id IS NOT NULL"),
    ),
    Index(
        "poise_events_request_id",
        "project",
        "request_id",
        sqlite_where=text("request_id IS NOT NULL"),
        postgresql_where=text("request_id IS NOT NULL"),
    ),
)

items = Table(
    "poise_items",
    metadata,
    Column("id", Number, primary_key=True),  # the order in the vocabulary
    Column("project", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("item_id", Id, nullable=False),
    Column("content", Text, nullable=False),  # JSON
    Column("available", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),  # a tombstone: events may still mention the item
    UniqueConstraint("project", "item_id", name="poise_items_item_id"),
    Index("poise_items_order", "project", "id"),
    Index("poise_items_version", "project", "version"),
)

users = Table(
    "poise_users",
    metadata,
    Column("id", Number, primary_key=True),  # the order in the vocabulary
    Column("project", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("content", Text, nullable=False),  # JSON
    UniqueConstraint("project", "user_id", name="poise_users_user_id"),
    Index("poise_users_order", "project", "id"),
    Index("poise_users_version", "project", "version"),
)

impressions = Table(
    "poise_impressions",
    metadata,
    Column("id", Number, primary_key=True),
    Column("project", Integer, nullable=False),
    Column("request_id", Id, nullable=False),
    Column("offset", Integer, nullable=False),
    Column("user_id", Id),
    Column("time", BigInteger, nullable=False),
    Column("scenario", Text),
    Column("run", Id, nullable=False),
    Column("stage", Text, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("slate", Text, nullable=False),  # JSON: [ids, scores, probabilities]
    Column("detail", Text),  # JSON: what else is known of the page, by name
    UniqueConstraint("project", "request_id", "offset", name="poise_impressions_page"),
    Index(
        "poise_impressions_user",
        "project",
        "user_id",
        sqlite_where=text("user_id IS NOT NULL"),
        postgresql_where=text("user_id IS NOT NULL"),
    ),
)

settings = Table(
    "poise_settings",
    metadata,
    Column("project", Integer, primary_key=True),
    Column("name", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("value", Text, nullable=False),  # JSON
)

keys = Table(
    "poise_keys",
    metadata,
    Column("project", Integer, primary_key=True),
    Column("key_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # JSON
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)

erasures = Table(
    "poise_erasures",
    metadata,
    Column("id", Number, primary_key=True),
    Column("project", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("receipt_id", Id, nullable=False),
    Column("subject", Id, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),  # JSON
    Column("runs", Text, nullable=False),  # JSON
    Index("poise_erasures_version", "project", "version"),
)

audit = Table(
    "poise_audit",
    metadata,
    Column("id", Number, primary_key=True),
    Column("project", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Index("poise_audit_order", "project", "id"),
)
