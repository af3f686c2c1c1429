#!/bin/sh
# Builds with Go those programs of a Kubernetes control plane that the tool lines of go.mod name. Prints the folder that holds them.
#   lab/kubernetes/build.sh [--folder | --cluster]
# With --folder, it only prints where the folder is or will be. With --cluster, it builds kubelet and kube-scheduler too, which `make cluster` and
# `make conformance` need. KUBERNETES_VERSION chooses one of the versions whose modules lie beside this script. Without it, the script takes the
# newest one.
# The folder lies outside the clone and is named for the version: ${BELLMAN_CACHE:-~/.cache/bellman}/kubernetes/VERSION. The script builds only the
# programs that the folder lacks. A second run therefore takes milliseconds, and a run continues where an interrupted run stopped. When two runs
# overlap, the second one waits for the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or its modules cannot be downloaded, and
# 1 when a build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../../scripts/go-programs.sh
. "$here/../../scripts/go-programs.sh"

say() { printf 'kubernetes: %s\n' "$*" >&2; }

version_of() { awk '$1 == "k8s.io/kubernetes" { print $2 }' "$1/go.mod"; }

module=$here
if [ -n "${KUBERNETES_VERSION:-}" ]; then
  module=
  versions=
  for each in "$here" "$here"/v*; do
    versions="$versions $(version_of "$each")"
    [ "$(version_of "$each")" != "$KUBERNETES_VERSION" ] || module=$each
  done
  [ -n "$module" ] || {
    say "KUBERNETES_VERSION is '$KUBERNETES_VERSION', and lab/kubernetes has no module for it; set it to one of:$versions"
    exit 1
  }
fi
version=$(version_of "$module")
folder=${BELLMAN_CACHE:-$HOME/.cache/bellman}/kubernetes/$version
if [ "${1:-}" = --folder ]; then
  echo "$folder"
  exit 0
fi
packages=$(awk '$1 == "tool" { inside = 1; next } $1 == ")" { inside = 0 } inside { print $1 }' "$module/go.mod")
if [ "${1:-}" != --cluster ]; then
  packages=$(echo "$packages" | grep -v -e '/kubelet$' -e '/kube-scheduler$')
fi

# The path of a package ends in the name of the program. Only the path of etcd ends in a version.
program_of() {
  case $1 in
    go.etcd.io/etcd/*) echo etcd ;;
    *) basename "$1" ;;
  esac
}

missing() {
  for package in $packages; do
    [ -x "$folder/$(program_of "$package")" ] || printf '%s ' "$package"
  done
}

if [ -z "$(missing)" ]; then
  echo "$folder"
  exit 0
fi

mkdir -p "$folder"
exec 9>"$folder/.lock"
if ! flock -n 9; then
  say "another process builds Kubernetes $version; waiting for it"
  flock 9
fi
todo=$(missing)
if [ -z "$todo" ]; then
  echo "$folder"
  exit 0
fi

go_prepare "$here/../../scripts"

# Go builds a copy of the module, so that a change of branch in the clone does not break the build.
mkdir -p "$folder/.module"
cp "$module/go.mod" "$module/go.sum" "$folder/.module/"
cd "$folder/.module"

say "building Kubernetes $version from its Go modules into $folder, once."
say "Two idle cores need about 12 minutes, and about 5 GB for Go's own caches. An interrupted build goes on where it stopped."
go_download Kubernetes
flags=$(kubernetes_flags "$version")

count=$(echo "$todo" | wc -w)
number=0
for package in $todo; do
  number=$((number + 1))
  program=$(program_of "$package")
  started=$(date +%s)
  say "$number of $count: $program"
  go_build "$program" "$package" build
  say "$number of $count: $program is built, $(($(date +%s) - started)) s"
done
rm -rf "$folder/.module"
echo "$folder"
