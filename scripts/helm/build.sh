#!/bin/sh
# Builds Helm with Go, and prints the path of the program. go.mod names the version of Helm. Debian and npm have no package of Helm.
#   scripts/helm/build.sh
# The program lies outside the clone, in ${BELLMAN_CACHE:-~/.cache/bellman}/helm/VERSION-CHECKSUM, so that the next clone finds it. A second run
# at the same time waits for the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or its modules cannot be downloaded, and 1 when the
# build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
# shellcheck source=../go-programs.sh
. ../go-programs.sh

say() { printf 'helm: %s\n' "$*" >&2; }

version=$(sed -n 's/.*helm\.sh\/helm\/v4 \(v[0-9.]*\).*/\1/p' go.mod)
# A change of any dependency changes the checksum, and so leads to a new build.
folder=${BELLMAN_CACHE:-$HOME/.cache/bellman}/helm/$version-$(cat go.mod go.sum | cksum | cut -d' ' -f1)
if [ ! -x "$folder/helm" ]; then
  mkdir -p "$folder"
  exec 9>"$folder/.lock"
  flock 9
fi
if [ ! -x "$folder/helm" ]; then
  go_prepare ..
  say "building Helm $version from its Go modules into $folder, once. Two idle cores need about three minutes."
  go_download Helm
  flags='-s -w'
  go_build helm helm.sh/helm/v4/cmd/helm build
fi
echo "$folder/helm"
