/**
 * Cost of checking a configuration.
 *   .cache/bin/node --expose-gc bench/config.ts
 * Measures the time and the memory for up to 2,000 pools and 400 peers; the time of the gate with 10,000 assigned addresses; the time
 * for 1,000 pools with an error in each; and the time for the most expensive hostile texts known.
 */
import { gzipSync } from 'node:zlib';
import { type AssignedAddress, judge, parseConfig } from '../src/config/index.ts';

const rounds = 9;

function configText(pools: number, peers: number, slip = ''): string {
  const lines = ['peers:'];
  for (let i = 0; i < peers; i++)
    lines.push(
      `- name: tor-${i}`,
      '  my-asn: 64512',
      `  peer-asn: ${65000 + (i % 500)}`,
      `  peer-address: 10.${i >> 8}.${i & 255}.1`,
      '  hold-time: 9s',
      '  password-secret: {name: bgp}',
      '  node-selectors:',
      `  - match-labels: {topology.kubernetes.io/zone: rack-${i}}`,
    );
  lines.push('bgp-communities:', '  customer: 64512:100', 'address-pools:');
  for (let i = 0; i < pools; i++)
    lines.push(
      `- name: pool-${i}`,
      '  protocol: bgp',
      '  addresses:',
      `  - 172.${16 + (i >> 8)}.${i & 255}.0/24${slip}`,
      `  - 2001:db8:${i.toString(16)}::10-2001:db8:${i.toString(16)}::ff`,
      '  bgp-advertisements:',
      '  - {aggregation-length: 32, localpref: 100, communities: [customer, no-export]}',
      '  - {aggregation-length: 24, communities: [64512:1:2]}',
    );
  return `${lines.join('\n')}\n`;
}

function medianMs(work: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

const results: unknown[] = [];

/** Octets of heap that the result of `work` occupies. */
function heapOf(work: () => unknown): number {
  const used = () => {
    globalThis.gc?.();
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  results.push(work());
  return used() - before;
}

const row = (...cells: (string | number)[]) =>
  console.log(cells.map((cell) => String(cell).padStart(11)).join(''));
const mib = (octets: number) => `${(octets / 1_048_576).toFixed(1)} MiB`;

parseConfig(configText(200, 40));
row('pools', 'peers', 'text KiB', 'gzip KiB', 'ms', 'µs/pool', 'kept', 'peak RSS');
for (const pools of [125, 250, 500, 1000, 2000]) {
  const peers = pools / 5;
  const text = configText(pools, peers);
  if (!parseConfig(text).ok) throw new Error('the measured configuration is not valid');
  const ms = medianMs(() => parseConfig(text));
  const kept = heapOf(() => parseConfig(text));
  const kib = (octets: number) => (octets / 1024).toFixed(0);
  row(
    pools,
    peers,
    kib(text.length),
    kib(gzipSync(text).length),
    ms.toFixed(1),
    ((ms / pools) * 1000).toFixed(0),
    mib(kept),
    mib(process.resourceUsage().maxRSS * 1024),
  );
}

const large = configText(1000, 200);
const assigned: AssignedAddress[] = Array.from({ length: 10_000 }, (_, i) => ({
  service: `default/service-${i}`,
  address: { family: 4, value: 0xac100000n + BigInt((i % 1000) * 256 + Math.floor(i / 1000)) },
}));
console.log(
  `gate with 10,000 assigned addresses: ${medianMs(() => judge(large, { assigned })).toFixed(1)} ms`,
);
const wrong = configText(1000, 200, '0');
console.log(`1,000 pools, an error in each: ${medianMs(() => parseConfig(wrong)).toFixed(1)} ms`);

const mebibyte = (unit: string, head = '') =>
  head + unit.repeat(Math.floor((1_048_576 - head.length) / unit.length));
const pool = 'address-pools:\n- name: a\n  protocol: bgp\n';
const hostile: readonly (readonly [string, string])[] = [
  ['199,000 empty pools', `address-pools:\n${'- {}\n'.repeat(199_000)}`],
  [
    'overlapping IPv6 ranges',
    mebibyte('  - 2001::1-ffff::1\n', `${pool}  bgp-advertisements: [{}]\n  addresses:\n`),
  ],
  ['duplicate keys', mebibyte('a: 1\n')],
  ['unknown keys', Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join('\n')],
  ['the same peer', mebibyte('- {my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1}\n', 'peers:\n')],
];
for (const [name, text] of hostile)
  console.log(`hostile, ${name} (${mib(text.length)}): ${medianMs(() => parseConfig(text)).toFixed(0)} ms`);
console.log(`peak RSS of all: ${mib(process.resourceUsage().maxRSS * 1024)}`);
