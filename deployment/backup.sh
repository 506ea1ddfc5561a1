#!/bin/sh
# A backup with the time in its name, checked by its size; then backups older than KEEP_DAYS are deleted.
#   deployment/backup.sh FOLDER [KEEP_DAYS]      KEEP_DAYS: 30; only files named spinescribe-*.tar are ever deleted
set -eu
umask 077
folder=${1:?"usage: backup.sh FOLDER [KEEP_DAYS]"}
keep_days=${2:-30}
file="$folder/spinescribe-$(date -u +%Y%m%dT%H%M%SZ).tar"
status=0
spinescribe backup "$file" || status=$?
# Exit code 1 with a file: written, but the store has lost files. Without a file: nothing old is deleted.
[ -s "$file" ] || exit "$status"
find "$folder" -maxdepth 1 -type f -name 'spinescribe-*.tar' ! -newer "$file" ! -samefile "$file" \
    -mtime "+$keep_days" -delete
exit "$status"
