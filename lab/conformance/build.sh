#!/bin/sh
# Builds the programs of Kubernetes' own tests with Go, and prints the folder that holds them:
#   e2e.test   the network tests (e2e/)
#   ginkgo     the program that runs them in several processes
#   agnhost    the program of the Pods that the tests start
#   coredns    a cluster DNS, which some tests need (dns/)
# The folder lies outside the clone, in ${BELLMAN_CACHE:-~/.cache/bellman}/conformance/VERSION-CHECKSUM, so that the next clone finds it. The
# checksum covers go.mod, go.sum and the Go files. A run continues where an interrupted run stopped. When two runs overlap, the second one waits for
# the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or a module cannot be downloaded, and 1 when a build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
# shellcheck source=../../scripts/go-programs.sh
. "$here/../../scripts/go-programs.sh"
programs='coredns agnhost ginkgo e2e.test'

say() { printf 'conformance: %s\n' "$*" >&2; }

version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)
folder=${BELLMAN_CACHE:-$HOME/.cache/bellman}/conformance/$version-$(cat go.mod go.sum e2e/*.go dns/*.go | cksum | cut -d' ' -f1)

missing() {
  for program in $programs; do
    [ -x "$folder/$program" ] || printf '%s ' "$program"
  done
}

if [ -z "$(missing)" ]; then
  echo "$folder"
  exit 0
fi
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9

go_prepare ../../scripts

# Go builds a copy of the module, so that a change of branch in the clone does not break the build.
rm -rf "$folder/.module"
mkdir "$folder/.module"
cp -R go.mod go.sum e2e dns "$folder/.module/"
cd "$folder/.module"

todo=$(missing)
[ -z "$todo" ] || {
  say "building the network tests of Kubernetes $version from their Go modules into $folder, once."
  say 'On two idle cores, this takes about six minutes if make cluster has already built Kubernetes.'
  go_download 'the tests'
}

flags=$(kubernetes_flags "$version")

for program in $todo; do
  started=$(date +%s)
  case $program in
    e2e.test) go_build e2e.test ./e2e test -c -vet=off ;;
    coredns) go_build coredns ./dns build ;;
    ginkgo) go_build ginkgo github.com/onsi/ginkgo/v2/ginkgo build ;;
    agnhost) go_build agnhost k8s.io/kubernetes/test/images/agnhost build ;;
  esac
  say "$program is built, $(($(date +%s) - started)) s"
done
rm -rf "$folder/.module"
echo "$folder"
