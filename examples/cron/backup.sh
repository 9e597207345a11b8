#!/bin/sh
# A cron job that counts. Each run is a process of a second, and its counters
# add up with those of all runs before.
#
#   backup.sh FROM TO     (tine-emit in PATH, or in $TINE_EMIT)
set -eu

emit() {
  # A job is never to fail because of its metrics.
  "${TINE_EMIT:-tine-emit}" --process-labels=job_name=backup "$@" || true
}

started=$(date +%s.%N)
result=ok
cp -R -- "$1" "$2" || result=failed

emit counter backup_runs_total "result=$result" 1 \
  --help-text='Runs of the backup.'
emit summary backup_seconds --unit=seconds \
  "$(echo "$(date +%s.%N) $started" | awk '{ print $1 - $2 }')"
if [ "$result" = ok ]; then
  emit gauge backup_last_success_timestamp_seconds "$(date +%s)" \
    --mode=mostrecent --help-text='When a backup last succeeded.'
fi
[ "$result" = ok ]
