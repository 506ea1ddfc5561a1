"""Running the service: backup, restore, the check of the kept files."""

from service.operations.backup import Backup, make_backup
from service.operations.restore import Restored, restore_backup
from service.operations.store_check import StoreCheck, check_store, prune_orphans

__all__ = ["Backup", "Restored", "StoreCheck", "check_store", "make_backup", "prune_orphans", "restore_backup"]
