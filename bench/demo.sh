#!/usr/bin/env bash
# The demo: a lab of 1,000 citizens, a server, 20,000 filings in each call style,
# every verdict against the truth. Fails on one mismatch.
#   bench/demo.sh BIN_DIR WORK_DIR
set -euo pipefail
bin=$(readlink -f "$1")
work=$2
mkdir -p "$work"
work=$(readlink -f "$work")

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

server=
finish() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
}
trap finish EXIT

say "A synthetic JPKI: 1,000 citizens, 40 municipalities, 20,000 filings"
"$bin/inkan-lab" init --out "$work/lab" --force --citizens 1000 \
  --municipalities 40 --filings 20000 --seed 1 --listen 127.0.0.1:0

say "The server, on loopback"
rm -f "$work/port"
"$bin/inkand" --config "$work/lab/inkand.textproto" --port-file "$work/port" \
  >"$work/inkand.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  [ -s "$work/port" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$work/inkand.log"; exit 1; }
  sleep 0.1
done
target=127.0.0.1:$(cat "$work/port")
"$bin/inkan" health --target "$target" --plaintext

for mode in unary batch stream; do
  say "20,000 filings, $mode calls"
  # No more at once than a slow machine does in limits.queue_wait_milliseconds_max:
  # batches beyond are refused.
  shape="--batch-size 256"
  [ "$mode" != batch ] || shape="--batch-size 128 --in-flight 2"
  # shellcheck disable=SC2086
  "$bin/inkan-load" --target "$target" --corpus "$work/lab/corpus.binpb" \
    --mode "$mode" $shape --connections 2 --rate 0 --count 20000
done

say "What the server holds"
"$bin/inkan" status --target "$target" --plaintext

say "One filing, as a clerk would ask"
sample=$work/lab/samples/good
"$bin/inkan" verify --target "$target" --plaintext --profile jpki-signature \
  --certificate "$sample/certificate.cer" --document "$sample/document.xml" \
  --signature "$sample/signature.bin" --algorithm rsa-pkcs1-sha256 \
  --at 2026-03-15T12:00:00+09:00

finish
server=
say "Every verdict was the right one. Next, try:"
cat <<EOF
  cd $work/lab && $bin/inkand --config inkand.textproto &
  $bin/inkan status --target 127.0.0.1:PORT --plaintext      (the log names PORT)
  $bin/inkan verify --local --anchor $work/lab/anchors/signca03.cer \\
    --crl $work/lab/crls --certificate $work/lab/samples/revoked_before/certificate.cer \\
    --document $work/lab/samples/revoked_before/document.xml \\
    --signature $work/lab/samples/revoked_before/signature.bin \\
    --algorithm rsa-pkcs1-sha256 --at 2026-03-15T12:00:00+09:00 --checks
  less $work/lab/README.txt
EOF
