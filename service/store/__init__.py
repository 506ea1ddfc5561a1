"""What the service keeps: tables (SQLAlchemy, Alembic) and content-addressed files."""

from service.store.blobs import Blob, BlobStore
from service.store.database import Database

__all__ = ["Blob", "BlobStore", "Database"]
