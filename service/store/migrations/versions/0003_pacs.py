"""What nodes sent, and what is sent back to them

Revision 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pacs_deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dicom_study", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.String(length=32), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_pacs_deliveries_study_id_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacs_deliveries")),
        sa.UniqueConstraint("dicom_study", "number", name=op.f("uq_pacs_deliveries_dicom_study")),
    )
    op.create_index(op.f("ix_pacs_deliveries_study_id"), "pacs_deliveries", ["study_id"], unique=False)

    op.create_table(
        "pacs_pushes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("study_id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_pacs_pushes_study_id_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacs_pushes")),
        sa.UniqueConstraint("study_id", "status", "version", name=op.f("uq_pacs_pushes_study_id")),
    )
    op.create_index(op.f("ix_pacs_pushes_state"), "pacs_pushes", ["state"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("pacs_pushes")
    op.drop_table("pacs_deliveries")
