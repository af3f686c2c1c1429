#!/bin/sh
# Builds the controller and the speaker of one version of MetalLB with Go. Prints the folder that holds both programs and the manifests of that
# version. Nothing of MetalLB's code enters the repository.
#   lab/metallb/build.sh VERSION
#   lab/metallb/build.sh --folder
# With --folder, it only prints the folder of all versions: ${BELLMAN_CACHE:-~/.cache/bellman}/metallb. It lies outside the clone, so that the
# next clone finds the programs. When two runs overlap, the second one waits for the first. The exit code is 69 (EX_UNAVAILABLE of sysexits.h)
# when Go or MetalLB's modules cannot be downloaded, and 1 when the build fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../../scripts/go-programs.sh
. "$here/../../scripts/go-programs.sh"

say() { printf 'metallb: %s\n' "$*" >&2; }

all=${BELLMAN_CACHE:-$HOME/.cache/bellman}/metallb
if [ "${1:-}" = --folder ]; then
  echo "$all"
  exit 0
fi
version=${1:?usage: lab/metallb/build.sh VERSION}
folder=$all/$version
if [ ! -x "$folder/speaker" ]; then
  mkdir -p "$folder"
  exec 9>"$folder/.lock"
  flock 9
fi
if [ ! -x "$folder/speaker" ]; then
  go_prepare "$here/../../scripts"
  say "building MetalLB $version from its Go modules into $folder, once. Two idle cores need a few minutes."
  # This folder is outside of every module, so that no go.mod affects the download.
  cd "$folder"
  "$go" mod download -json "go.universe.tf/metallb@$version" >.download.json 2>.download.log || {
    cat .download.log .download.json >&2
    say "Go cannot download MetalLB $version (see above)"
    exit $unavailable
  }
  source=$(sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p' .download.json)
  rm -f .download.json
  # The tree of the module cache is read-only, and the build writes nothing there.
  cd "$source"
  "$go" list -deps ./controller ./speaker >/dev/null 2>"$folder/.download.log" || {
    tail -5 "$folder/.download.log" >&2
    say "Go cannot download the modules that MetalLB $version needs (see above)"
    exit $unavailable
  }
  rm -f "$folder/.download.log"
  if [ -d config ] && [ ! -d "$folder/config" ]; then
    cp -R config "$folder/.config.new"
    chmod -R u+w "$folder/.config.new"
    mv "$folder/.config.new" "$folder/config"
  fi
  flags='-s -w'
  # The speaker comes last: a folder that has it counts as complete.
  for program in controller speaker; do
    go_build $program ./$program build -buildvcs=false
  done
fi
echo "$folder"
