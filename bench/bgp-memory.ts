/**
 * Memory of the Adj-RIBs-Out per route and peer, with 100,000 host routes sent to four peers.
 *   .cache/bin/node --expose-gc bench/bgp-memory.ts
 * Measures the growth of heap and array buffers, with a garbage collection before and after.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Family } from '../src/address/index.ts';
import { AdjRibOut } from '../src/bgp/rib/adj-rib-out.ts';
import { AttributeTable } from '../src/bgp/rib/attribute-table.ts';
import { PrefixTable } from '../src/bgp/rib/prefix-table.ts';
import { UpdateWriter } from '../src/bgp/rib/update-writer.ts';
import type { RouteAttributes } from '../src/bgp/speaker-api.ts';
import { ip } from '../test/support/addresses.ts';

const routeCount = 100_000;
const peerCount = 4;
const limitBytes = 200;

async function used(): Promise<number> {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  if (typeof collect !== 'function') throw new Error('run this with node --expose-gc');
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(20);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const nextHops = { 4: [ip('192.0.2.1')], 6: [ip('2001:db8::1')] };
const attributes: RouteAttributes = { asPathPrepend: 0, communities: [0xfc000001], largeCommunities: [] };

/** Measures one family. This is a function of its own, so that no object of one measurement survives into the next. */
async function measure(family: Family): Promise<number> {
  const before = await used();
  const prefixes = new PrefixTable();
  const sets = new AttributeTable();
  const ribs = Array.from({ length: peerCount }, () => new AdjRibOut(prefixes, sets));
  const first = family === 4 ? 0x0a000000n : 0x20010db8n << 96n;
  for (const rib of ribs) {
    rib.up([4, 6], false);
    for (let i = 0; i < routeCount; i++)
      rib.announce({ family, value: first + BigInt(i), length: family === 4 ? 32 : 128 }, attributes);
    const writer = new UpdateWriter(rib, prefixes, sets, {
      internal: false,
      localAsn: 64512,
      fourOctetAs: true,
      sendLimit: 4096,
      nextHops,
    });
    while (writer.next());
  }
  const sent = ribs.reduce((sum, { sentCount }) => sum + sentCount, 0);
  if (sent !== routeCount * peerCount) throw new Error(`only ${sent} routes were sent`);
  const each = ((await used()) - before) / sent;
  // This check also keeps the measured objects reachable until the measurement is over.
  if (ribs.some(({ queuedCount }) => queuedCount > 0)) throw new Error('routes are queued');
  return each;
}

for (const family of [4, 6] as const) {
  const each = await measure(family);
  console.log(
    `IPv${family}: ${routeCount} host routes to ${peerCount} peers: ${each.toFixed(1)} bytes per route and peer (at most ${limitBytes})`,
  );
  if (each > limitBytes) process.exitCode = 1;
}
