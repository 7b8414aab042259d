#!/usr/bin/env bash
# A small lab for the deploy tests, of today, so that its CRLs are fresh.
#   lab.sh INKAN_LAB FOLDER
set -euo pipefail
rm -rf "$2"
"$1" init --out "$2" --citizens 64 --municipalities 4 --filings 64 --seed 11 \
  --now "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --listen 127.0.0.1:0 --quiet
