#!/bin/sh
# Builds the image (see main.ts). All builds use the same folders, so a build waits while another one runs.
set -eu
cd "$(dirname "$0")/../.."
scripts/setup.sh build
mkdir -p .cache/image
exec flock .cache/image/lock .cache/bin/node scripts/image/main.ts "$@"
