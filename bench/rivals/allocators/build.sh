#!/bin/sh
# Builds the program that measures MetalLB's allocator alone, and prints its path.
#   bench/rivals/allocators/build.sh VERSION FOLDER
# The build takes place in a temporary copy of MetalLB's module, because no other module may import the allocator, and the module cache is read-only.
# The exit codes are those of lab/metallb/build.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scripts=$here/../../../scripts
# shellcheck source=../../../scripts/go-programs.sh
. "$scripts/go-programs.sh"

say() { printf 'rivals: %s\n' "$*" >&2; }

version=${1:?usage: build.sh VERSION FOLDER}
mkdir -p "${2:?usage: build.sh VERSION FOLDER}"
folder=$(cd "$2" && pwd)
go_prepare "$scripts"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT INT TERM
cd "$copy"
"$go" mod download -json "go.universe.tf/metallb@$version" >download.json 2>download.log || {
  cat download.log download.json >&2
  say "Go cannot download MetalLB $version (see above)"
  exit $unavailable
}
source=$(sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p' download.json)
cp -R "$source" metallb
chmod -R u+w metallb
mkdir metallb/measure
cp "$here/metallb.go" metallb/measure/main.go
cd metallb
flags='-s -w'
go_build metallb-allocator ./measure build -buildvcs=false
echo "$folder/metallb-allocator"
