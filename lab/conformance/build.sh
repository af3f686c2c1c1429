#!/bin/sh
# Builds the programs of Kubernetes' own tests with Go, and prints the folder that holds them:
#   e2e.test   the network tests (e2e/)
#   ginkgo     the program that runs them in several processes
#   agnhost    the program of the Pods that the tests start
#   coredns    a cluster DNS, which some tests need (dns/)
#   lab/conformance/build.sh
# The folder lies outside the clone, in ${BELLMAN_CACHE:-~/.cache/bellman}/conformance/VERSION-CHECKSUM, so that the next clone finds it. The checksum is that of
# the module and its files. A run after an interrupted one goes on where that one stopped. Of two runs at a time, the second one waits for
# the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h) when Go or its modules cannot be had, and 1 when a build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
readonly unavailable=69
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

go=$("$here/../../scripts/go.sh") || exit $unavailable
# Go keeps compiled packages in its cache, which a clone must not hold: the next clone would compile all of them again.
unset XDG_CACHE_HOME GOFLAGS
export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly

# Go builds a copy of the module, so that a change of branch in the clone does not break it.
rm -rf "$folder/.module"
mkdir "$folder/.module"
cp -R go.mod go.sum e2e dns "$folder/.module/"
cd "$folder/.module"

todo=$(missing)
[ -z "$todo" ] || {
  say "building the network tests of Kubernetes $version from their Go modules into $folder, once."
  say 'Two idle cores need about six minutes after make cluster has built Kubernetes.'
  "$go" mod download >/dev/null 2>"$folder/.download.log" || {
    tail -5 "$folder/.download.log" >&2
    say 'Go cannot download the modules of the tests (see above)'
    exit $unavailable
  }
  rm -f "$folder/.download.log"
}

# The tests ask for this version, and without it they call themselves v0.0.0.
rest=${version#v}
minor=${rest#*.}
flags='-s -w'
for variables in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $variables.gitVersion=$version -X $variables.gitMajor=${rest%%.*} -X $variables.gitMinor=${minor%%.*}"
done

for program in $todo; do
  started=$(date +%s)
  case $program in
    e2e.test) what='test -c -vet=off' package=./e2e ;;
    coredns) what=build package=./dns ;;
    ginkgo) what=build package=github.com/onsi/ginkgo/v2/ginkgo ;;
    agnhost) what=build package=k8s.io/kubernetes/test/images/agnhost ;;
  esac
  # shellcheck disable=SC2086 # two words
  "$go" $what -trimpath -ldflags "$flags" -o "$folder/.$program.new" "$package" >&2 || {
    rm -f "$folder/.$program.new"
    say "building $program failed (see above)"
    exit 1
  }
  # Only a finished program gets its name.
  mv "$folder/.$program.new" "$folder/$program"
  say "$program is built, $(($(date +%s) - started)) s"
done
rm -rf "$folder/.module"
echo "$folder"
