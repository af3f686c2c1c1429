/**
 * Counts the datagrams that are lost while Bellman takes over from MetalLB v0.12.1, and while MetalLB takes over again.
 *   lab/metallb/build.sh v0.12.1
 *   BELLMAN_METALLB=$(lab/metallb/build.sh --folder) lab/world .cache/bin/node bench/takeover.ts [ROUNDS] [SERVICES]
 * MetalLB announces half of the Services by BGP and half in layer 2, from three nodes. For each half, a client sends a datagram every millisecond.
 * Bellman takes over with the commands that `bellman takeover status` prints as NEXT. MetalLB takes over again with the commands that
 * `bellman takeover status` prints as BACK. Each round takes the next of four cases: BIRD and FRR on the router, each with and without graceful
 * restart in Bellman's configuration. MetalLB v0.12 has no graceful restart. The bench fails when a datagram is lost while Bellman takes over, when
 * an address changes, or when another node answers for a layer-2 address before the last step, in which all speakers restart.
 */
import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { birdConfig } from '../lab/fabric.ts';
import { birdSocketPath } from '../lab/lab.ts';
import { metalLbMissing, metalLbPrograms } from '../lab/metallb/programs.ts';
import { bird, frr, replaceBirdByFrr } from '../test/support/drain.ts';
import { stopFrr } from '../test/support/lab-frr.ts';
import { ConfigMapMetalLb } from '../test/support/takeover/config-map-metallb.ts';
import { TakeoverLab } from '../test/support/takeover/lab.ts';
import { metalLbVersion } from './rivals/paths.ts';

const rounds = Number(process.argv[2] ?? 20);
const services = Number(process.argv[3] ?? 50);
const intervalMs = 1;
if (!Number.isInteger(services / 2)) {
  console.error(`SERVICES is ${services}: use an even number, because each half has its own protocol`);
  process.exit(2);
}
const missing = metalLbMissing(metalLbPrograms(metalLbVersion));
if (missing !== undefined) {
  console.error(missing);
  process.exit(2);
}
const variants = [
  { router: 'BIRD', gracefulRestart: false },
  { router: 'BIRD', gracefulRestart: true },
  { router: 'FRR', gracefulRestart: true },
  { router: 'FRR', gracefulRestart: false },
] as const;
type Router = (typeof variants)[number]['router'];

/** The rounds of a variant. */
interface Result {
  asked: number;
  readonly lost: number[];
  readonly lostBack: number[];
}

const takeover = await TakeoverLab.start({ metalLb: new ConfigMapMetalLb(), services: services / 2 });
const { lab } = takeover;
const addresses = JSON.stringify([...(await takeover.addressesByService())]);
const results = new Map<string, Result>();
let router: Router = 'BIRD';
let hasFailed = false;

async function setRouter(wanted: Router): Promise<void> {
  if (wanted === router) return;
  router = wanted;
  takeover.router = wanted === 'FRR' ? frr : bird;
  if (wanted === 'FRR') await replaceBirdByFrr(lab);
  else {
    await stopFrr(lab);
    const file = '/run/lab/bird.conf';
    writeFileSync(file, birdConfig(lab.fabric));
    lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
  }
  await takeover.announced();
}

/** Returns a sentence when a Service no longer has the address that it had at the start. */
async function addressFaults(): Promise<string[]> {
  const now = JSON.stringify([...(await takeover.addressesByService())]);
  return now === addresses ? [] : ['an address changed'];
}

async function round(number: number): Promise<void> {
  const variant = variants[(number - 1) % variants.length] ?? variants[0];
  const title = `${variant.router}, ${variant.gracefulRestart ? 'with' : 'without'} graceful restart`;
  await setRouter(variant.router);
  const macs = await takeover.macs();
  const startedAt = performance.now();
  const forth = await takeover.counted(async () => {
    await takeover.installBellman(variant);
    return takeover.takeOver();
  }, intervalMs);
  const wrong = await addressFaults();
  if (!isDeepStrictEqual(macs, forth.result.macs))
    wrong.push('a MAC changed before the last step', ...forth.result.moves);
  const back = await takeover.counted(() => takeover.goBack(forth.result), intervalMs);
  wrong.push(...(await addressFaults()));
  await takeover.removeBellman();
  await takeover.announced();
  if (forth.lost > 0 || wrong.length > 0) hasFailed = true;
  const result = results.get(title) ?? { asked: 0, lost: [], lostBack: [] };
  result.asked += forth.asked;
  result.lost.push(forth.lost);
  result.lostBack.push(back.lost);
  results.set(title, result);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `round ${number}, ${title}: lost ${forth.lost} of ${forth.asked}, back to MetalLB ${back.lost} of ${back.asked}, ${seconds} s`,
  );
  for (const text of [...wrong, forth.detail, back.detail && `back: ${back.detail}`])
    if (text !== '') console.log(`  ${text}`);
}

try {
  for (let number = 1; number <= rounds; number++) await round(number);
  for (const [title, { asked, lost, lostBack }] of results)
    console.log(
      `${title}: ${lost.length} takeovers, ${asked} datagrams, lost ${lost.join(' ')}; back to MetalLB lost ${lostBack.join(' ')}`,
    );
} finally {
  await takeover.close();
}
process.exit(hasFailed ? 1 : 0);
