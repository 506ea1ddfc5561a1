"""The audit log refuses to be changed: triggers against UPDATE and DELETE (PostgreSQL: TRUNCATE too).

They stop mistakes and injected statements, not the owner of the database, who can drop them: the chain of hashes
(``service.audit.verify``) is what shows that somebody did. A later migration that lets Alembic rebuild the table
``audit`` (batch mode on SQLite) has to make these triggers again.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TOLD = "the audit log is append-only"


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION spinescribe_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_TOLD}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION spinescribe_audit_append_only()"
        )
        return
    for what in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER audit_no_{what} BEFORE {what.upper()} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_TOLD}'); END"
        )


def downgrade() -> None:
    """Take back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP FUNCTION spinescribe_audit_append_only()")
        return
    for what in ("update", "delete"):
        op.execute(f"DROP TRIGGER audit_no_{what}")
