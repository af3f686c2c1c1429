#!/bin/sh
# Builds Helm (the tool line of go.mod) with Go, and prints its path. No package of Debian or npm has it.
#   scripts/helm/build.sh
# The program lies outside the clone, in ${BELLMAN_CACHE:-~/.cache/bellman}/helm/VERSION-CHECKSUM, so that the next clone finds it. Of two runs at a time, the
# second one waits for the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or its modules cannot be had, and 1 when the
# build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
readonly unavailable=69

say() { printf 'helm: %s\n' "$*" >&2; }

version=$(sed -n 's/.*helm\.sh\/helm\/v4 \(v[0-9.]*\).*/\1/p' go.mod)
# The folder is named for the whole module, so that a change of a dependency builds Helm again.
folder=${BELLMAN_CACHE:-$HOME/.cache/bellman}/helm/$version-$(cat go.mod go.sum | cksum | cut -d' ' -f1)
if [ ! -x "$folder/helm" ]; then
  mkdir -p "$folder"
  exec 9>"$folder/.lock"
  flock 9
fi
if [ ! -x "$folder/helm" ]; then
  go=$("$here/../go.sh") || exit $unavailable
  # Go keeps compiled packages in its cache, which a clone must not hold: the next clone would compile all of them again.
  unset XDG_CACHE_HOME GOFLAGS
  export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly
  say "building Helm $version from its Go modules into $folder, once. Two idle cores need about three minutes."
  "$go" mod download >/dev/null 2>"$folder/.download.log" || {
    tail -5 "$folder/.download.log" >&2
    say "Go cannot download the modules of Helm (see above)"
    exit $unavailable
  }
  rm -f "$folder/.download.log"
  nice -n 10 "$go" build -trimpath -ldflags '-s -w' -o "$folder/.helm.new" helm.sh/helm/v4/cmd/helm >&2 || {
    rm -f "$folder/.helm.new"
    say "building Helm failed (see above)"
    exit 1
  }
  # Only a finished program gets its name.
  mv "$folder/.helm.new" "$folder/helm"
fi
echo "$folder/helm"
