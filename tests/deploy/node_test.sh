#!/usr/bin/env bash
# Runs one of the tests in node/.
#   node_test.sh SOURCE_DIR NAME ARGUMENTS..
set -euo pipefail
here=$1/tests/deploy
name=$2
shift 2
# shellcheck source=lib.sh
. "$here/lib.sh"
need node nodejs
if [ ! -d "$here/node/node_modules" ]; then
  echo "the packages are not here: cd tests/deploy/node && npm install" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 77
fi
exec node "$here/node/${name}_test.mjs" "$@"
