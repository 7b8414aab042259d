#!/usr/bin/env bash
# A small lab for the deploy tests, made once a build.
#   lab.sh INKAN_LAB FOLDER
set -euo pipefail
[ "$2/inkand.textproto" -nt "$1" ] && exit 0
rm -rf "$2"
"$1" init --out "$2" --citizens 64 --municipalities 4 --filings 64 --seed 11 \
  --listen 127.0.0.1:0 --quiet
touch "$2/inkand.textproto"
