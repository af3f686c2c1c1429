#!/bin/sh
# Builds the image (see main.ts). Two builds use the same folders, so the second one waits for the first.
set -eu
cd "$(dirname "$0")/../.."
scripts/setup.sh build
mkdir -p .cache/image
exec flock .cache/image/lock .cache/bin/node scripts/image/main.ts "$@"
