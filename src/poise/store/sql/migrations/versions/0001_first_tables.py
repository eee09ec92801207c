"""The tables of the first store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "poise_projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", Id, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("name", name="poise_projects_name"),
    )
    op.create_table(
        "poise_writers",
        sa.Column("project", sa.Integer, primary_key=True),
        sa.Column("writer", Id, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "poise_events",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("behaviour", Id, nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("event_id", Id),
        sa.Column("context", sa.Text),
        sa.Column("request_id", Id),
    )
    op.create_index("poise_events_history", "poise_events", ["project", "user_id", "time"])
    op.create_index("poise_events_version", "poise_events", ["project", "version"])
    _index_where_known("poise_events_event_id", "poise_events", "event_id", unique=True)
    _index_where_known("poise_events_request_id", "poise_events", "request_id")
    op.create_table(
        "poise_items",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("available", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("project", "item_id", name="poise_items_item_id"),
    )
    op.create_index("poise_items_order", "poise_items", ["project", "id"])
    op.create_index("poise_items_version", "poise_items", ["project", "version"])
    op.create_table(
        "poise_users",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.UniqueConstraint("project", "user_id", name="poise_users_user_id"),
    )
    op.create_index("poise_users_order", "poise_users", ["project", "id"])
    op.create_index("poise_users_version", "poise_users", ["project", "version"])
    op.create_table(
        "poise_impressions",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("offset", sa.Integer, nullable=False),
        sa.Column("user_id", Id),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("scenario", sa.Text),
        sa.Column("run", Id, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.Column("slate", sa.Text, nullable=False),
        sa.UniqueConstraint("project", "request_id", "offset", name="poise_impressions_page"),
    )
    _index_where_known("poise_impressions_user", "poise_impressions", "user_id")
    op.create_table(
        "poise_settings",
        sa.Column("project", sa.Integer, primary_key=True),
        sa.Column("name", Id, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "poise_keys",
        sa.Column("project", sa.Integer, primary_key=True),
        sa.Column("key_id", Id, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.BigInteger),
    )
    op.create_table(
        "poise_erasures",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("receipt_id", Id, nullable=False),
        sa.Column("subject", Id, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("runs", sa.Text, nullable=False),
    )
    op.create_index("poise_erasures_version", "poise_erasures", ["project", "version"])
    op.create_table(
        "poise_audit",
        sa.Column("id", Number, primary_key=True),
        sa.Column("project", sa.Integer, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("poise_audit_order", "poise_audit", ["project", "id"])


def _index_where_known(name: str, table: str, column: str, *, unique: bool = False) -> None:
    known = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, table, ["project", column], unique=unique, sqlite_where=known, postgresql_where=known)
