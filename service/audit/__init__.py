"""The audit log: append-only, hash-chained; who saw, decided, signed and exported what, with which models."""

from service.audit.log import append, entry_hash

__all__ = ["append", "entry_hash"]
