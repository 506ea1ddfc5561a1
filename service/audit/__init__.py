"""The audit log: append-only, hash-chained; who saw, decided, signed and exported what, with which models."""

from service.audit.log import append, entry_hash
from service.audit.query import AuditFilter, list_entries
from service.audit.verify import Fault, Verification, verify_log

__all__ = ["AuditFilter", "Fault", "Verification", "append", "entry_hash", "list_entries", "verify_log"]
