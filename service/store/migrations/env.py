"""Alembic's entry: runs migrations on the connection that ``Database`` hands over."""

from alembic import context
from sqlalchemy import text

from service.store.base import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":  # server and workers may start at once
        connection.execute(text("SELECT pg_advisory_xact_lock(5064019)"))
    context.run_migrations()
if connection.in_transaction():
    connection.commit()
