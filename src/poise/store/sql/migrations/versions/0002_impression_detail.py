"""What learning from impressions needs besides the slate."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add a column; pages of before have nothing in it."""
    op.add_column("poise_impressions", sa.Column("detail", sa.Text))
