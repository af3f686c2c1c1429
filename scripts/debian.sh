#!/bin/sh
# Installs Debian packages whose programs or files are missing.
#   scripts/debian.sh NEED:PACKAGE…
# NEED is a command, or the path of a file. When the machine already has it, the script skips PACKAGE, even if NEED comes from elsewhere.
set -eu
fail() {
  printf 'bellman set-up: %s\n' "$*" >&2
  exit 1
}

missing=
PATH=$PATH:/usr/sbin:/sbin
for pair in "$@"; do
  need=${pair%%:*}
  package=${pair#*:}
  case $need in
    /*) [ -e "$need" ] || missing="$missing $package" ;;
    *) command -v "$need" >/dev/null 2>&1 || missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  fail "this machine lacks the programs of these Debian packages:$missing
Bellman's lab and its builds are made for Debian 12. Elsewhere, install the same programs with your package manager and run this again."
fi
if [ "$(id -u)" -ne 0 ]; then
  fail "Debian packages are missing. Install them and run again:
  sudo apt-get install --no-install-recommends$missing"
fi
printf 'bellman set-up: installing Debian packages:%s\n' "$missing"
# The routing daemons run only in the lab, so their packages must not start them on this machine.
policy=/usr/sbin/policy-rc.d
# Two runs must not overlap: the run that ends first would remove the policy that the other one still needs.
exec 9<"${policy%/*}"
flock 9
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
# A killed run leaves its policy behind, and a later run replaces that policy. Each policy of this script contains the comment below. A policy without
# this comment belongs to another program and stays.
mark='# Bellman set-up'
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
  trap 'rm -f "$log" "$policy"' EXIT
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null || fail 'apt-get update failed'
# shellcheck disable=SC2086 # a list of names
apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 9<&- || {
  tail -20 "$log" >&2
  fail 'apt-get install failed (see above)'
}
