#!/usr/bin/env bash
# The unit: exposure 2.0 or better by systemd's own measure, the system calls it
# leaves, and the promises it makes to the configuration.
#   systemd_test.sh SOURCE_DIR
set -euo pipefail
source_dir=$1
# shellcheck source=lib.sh
. "$source_dir/tests/deploy/lib.sh"
need systemd-analyze systemd
unit=$source_dir/deploy/systemd/inkand.service

systemd-analyze security --offline=true --no-pager --threshold=20 "$unit" |
  tail -1 || fail "exposure is above 2.0"

# The same measure refuses a unit without its protections, so it can fail.
naked=$(mktemp -d)
trap 'rm -rf "$naked"' EXIT
sed '/^\(Protect\|Private\|Restrict\|SystemCall\|Capability\)/d' "$unit" >"$naked/inkand.service"
if systemd-analyze security --offline=true --no-pager --threshold=20 \
  "$naked/inkand.service" >/dev/null; then
  fail "a unit without protections passed"
fi

# What the filter leaves. inkand's background threads need two calls to give way,
# and would go on without them at the priority of those that judge.
calls=$(allowed_calls "$unit")
[ "$(echo "$calls" | wc -l)" -gt 200 ] || fail "the filter allows next to nothing"
for call in setpriority sched_setscheduler; do
  grep -qx "$call" <<<"$calls" || fail "$call is not allowed"
done
for call in setuid mount ptrace reboot nice sched_setaffinity; do
  if grep -qx "$call" <<<"$calls"; then fail "$call is allowed"; fi
done
sed '/^SystemCallFilter=setpriority/d' "$unit" >"$naked/without.service"
if allowed_calls "$naked/without.service" | grep -qx setpriority; then
  fail "setpriority is allowed by another line, or this test is blind"
fi

value() { sed -n "s/^$1=//p" "$unit"; }
for setting in Type=notify WatchdogSec=30s Restart=on-failure User=inkan \
  StateDirectory=inkan ConfigurationDirectory=inkan LogsDirectory=inkan; do
  grep -qx "$setting" "$unit" || fail "$setting is not there"
done
value ExecReload | grep -q 'kill -HUP' || fail "reload does not send SIGHUP"
value MemoryMax | grep -q . || fail "no MemoryMax"
[ "$(value LimitNICE)" = +10 ] || fail "no way back from SCHED_IDLE to niceness 10"
[ "$(value LimitNOFILE)" -ge 16384 ] || fail "too few files for 10,000 connections"
drain=$(sed -n 's/^drain_timeout { seconds: \([0-9]*\) }/\1/p' \
  "$source_dir/deploy/config/inkand.textproto")
stop=$(value TimeoutStopSec)
[ "${stop%s}" -gt "$drain" ] || fail "TimeoutStopSec=$stop cuts off drain_timeout ${drain}s"
