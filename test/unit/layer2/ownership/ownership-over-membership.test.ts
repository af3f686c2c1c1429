/** Runs the ownership and membership machines together, over a network in virtual time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { formatIp, parsePrefix } from '../../../../src/address/index.ts';
import type { Clock, Timer } from '../../../../src/clock.ts';
import { Coalescer } from '../../../../src/layer2/coalescer.ts';
import { MemberView } from '../../../../src/layer2/member-view.ts';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../../../src/layer2/ownership/claim-store.ts';
import { formatFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../../../src/layer2/ownership/ownership.ts';
import { Readiness } from '../../../../src/layer2/ownership/readiness.ts';
import { OwnershipRunner } from '../../../../src/layer2/ownership-runner.ts';
import type { Changes } from '../../../../src/membership/change-log.ts';
import { addressEntry } from '../../../support/layer2-cluster.ts';
import { MembershipNet } from '../../../support/membership-net.ts';

const subnets = [parsePrefix('10.0.0.0/8') ?? assert.fail()];
const link = { index: 1, name: 'eth0', mac: Uint8Array.of(2, 0, 0, 0, 0, 1), subnets, epoch: 0 };
const addressOf = (i: number) => `10.0.${i >> 8}.${i & 255}`;

/** One speaker without its shells. Its machines are connected as in the layer-2 process. */
class Speaker {
  readonly name: string;
  readonly claims = new ClaimStore();
  readonly answering = new Set<string>();
  readonly ownership: Ownership;
  readonly #net: MembershipNet;
  readonly #view: MemberView;
  readonly #runner: OwnershipRunner;
  readonly #readiness: Readiness;
  readonly #decideOnClaims: Coalescer;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #readinessTimer: Timer | undefined;
  #isJoined = false;

  constructor(net: MembershipNet, name: string, addresses: readonly string[]) {
    this.name = name;
    this.#net = net;
    const clock: Clock = {
      now: () => net.now,
      epochMs: () => net.now,
      after: (delayMs, callback) => net.after(delayMs, callback),
    };
    this.#clock = clock;
    this.ownership = new Ownership(name, this.claims);
    this.#readiness = new Readiness(clock.now());
    this.#view = new MemberView({
      nodeName: name,
      clock,
      logger: pino({ enabled: false }),
      report: () => {},
      setSpeakers: () => {},
      onReturn: () => {},
    });
    this.#runner = new OwnershipRunner({
      clock,
      ownership: this.ownership,
      recorder: { *record() {} },
      answers: {
        answer: ({ address, mustProbe }) => {
          if (!mustProbe) this.answering.add(formatIp(address));
          else clock.after(300, () => this.#probed(formatIp(address)));
        },
        adjust: () => {},
        silence: ({ address }) => void this.answering.delete(formatIp(address)),
      },
      publish: (claims) => this.#publish(claims),
      drainCaptures: () => {},
      onAnswer: () => {},
    });
    this.#decideOnClaims = new Coalescer(clock, () => this.#runner.send({ kind: 'tick' }));
    const entries = addresses.map((address) => addressEntry(address, net.names, { observedVersion: 1 }));
    this.#runner.send({ kind: 'table', entries });
  }

  changed({ members, sync, payloads }: Changes): void {
    if (!members && !sync && payloads.size === 0 && this.#isJoined) return;
    this.#isJoined = true;
    if (payloads.size > 0) {
      this.#runner.send({ kind: 'claims-received', addresses: payloads });
      this.#decideOnClaims.request();
    }
    if (members) this.#updateView();
    this.#tryToStart();
  }

  #publish(claims: readonly Claim[]): void {
    this.#net.do(this.name, (machine, now) => machine.publish(claims.map(payloadOf), now));
  }

  #probed(address: string): void {
    if (this.ownership.isAnswering(address)) this.answering.add(address);
  }

  #facts(): string {
    const phase = { isLeaving: false, isStarting: !this.ownership.isStarted };
    return formatFacts([link], () => true, phase).text;
  }

  #updateView(): void {
    const machine = this.#net.machine(this.name);
    if (!machine) return;
    this.#runner.send({ kind: 'view', view: this.#view.update(machine, this.#facts(), true) });
    this.#timer?.cancel();
    const atMs = this.#view.wakeAtMs();
    if (atMs < Number.POSITIVE_INFINITY)
      this.#timer = this.#clock.after(atMs - this.#clock.now(), () => this.#updateView());
  }

  #tryToStart(): void {
    const machine = this.#net.machine(this.name);
    if (this.ownership.isStarted || !machine) return;
    const input = {
      hasEntries: true,
      isSynced: machine.isSynced,
      liveMembers: machine.liveCount,
      unreachable: machine.unreachable().length,
    };
    const nowMs = this.#clock.now();
    const isReady = this.#readiness.isReady(input, nowMs);
    this.#readinessTimer?.cancel();
    if (isReady) this.#runner.send({ kind: 'started' });
    else
      this.#readinessTimer = this.#clock.after(this.#readiness.wakeAtMs(nowMs) - nowMs, () =>
        this.#tryToStart(),
      );
    const facts = this.#facts();
    if (facts === machine.metadata) return;
    this.#net.do(this.name, (each, now) => each.setMetadata(facts, now));
    this.#updateView();
  }
}

/** Speakers that share these addresses. Each starts with the claims in `held`. */
class Speakers {
  readonly net: MembershipNet;
  readonly all = new Map<string, Speaker>();
  readonly addresses: readonly string[];

  constructor(nodes: number, seed: number, addressCount: number, held: readonly Claim[] = []) {
    this.addresses = Array.from({ length: addressCount }, (_, i) => addressOf(i));
    this.net = new MembershipNet({
      nodes,
      loss: 0,
      seed,
      isListCertain: true,
      storeOf: (name) => {
        const speaker = new Speaker(this.net, name, this.addresses);
        for (const claim of held) speaker.claims.merge(claim);
        this.all.set(name, speaker);
        return new ClaimPayloads(speaker.claims);
      },
    });
    this.net.onChanges = (name, changes) => this.all.get(name)?.changed(changes);
  }

  answerers(address: string): string[] {
    return [...this.all.values()].filter(({ answering }) => answering.has(address)).map(({ name }) => name);
  }

  owners(): Map<string, string> {
    return new Map(this.addresses.map((address) => [address, this.answerers(address).join()]));
  }
}

describe('Ownership over the membership', () => {
  for (const nodes of [3, 5])
    test(`cutting off one of ${nodes} nodes for any time moves no address between the other nodes`, () => {
      for (const cutMs of [200, 400, 600, 800, 1000, 1400, 2000, 14_000])
        for (const seed of [1, 2, 3]) {
          const speakers = new Speakers(nodes, seed, 20);
          const { net } = speakers;
          net.run(8000);
          const before = speakers.owners();
          const [lone = ''] = net.names;
          for (const [address, owner] of before)
            assert.ok(owner !== '' && !owner.includes(','), `${address}: ${owner}`);
          net.part([lone]);
          net.run(cutMs);
          for (const [address, owner] of before)
            assert.equal(
              speakers.all.get(lone)?.claims.get(address)?.owner,
              owner,
              `${address} during the cut`,
            );
          net.part([]);
          net.run(8000);
          for (const [address, owner] of speakers.owners())
            if (before.get(address) !== lone)
              assert.equal(owner, before.get(address), `${address} after ${cutMs} ms, seed ${seed}`);
            else assert.ok(owner !== '' && !owner.includes(','), `${address}: ${owner}`);
        }
    });

  test('a node that joins a cluster with 5,000 claims takes no address, and no address is answered twice', () => {
    const held = Array.from({ length: 5000 }, (_, i): Claim => {
      const owner = `node-${i % 3}`;
      return { address: addressOf(i), owner, epoch: 3, from: '', observedVersion: 1, inConflict: false };
    });
    const speakers = new Speakers(4, 1, 5000, held);
    const { net } = speakers;
    net.run(6000);
    const newcomer = 'node-3';
    net.kill(newcomer);
    speakers.all.delete(newcomer);
    net.run(5000);
    const fresh = new Speaker(net, newcomer, speakers.addresses);
    speakers.all.set(newcomer, fresh);
    net.start(newcomer, new ClaimPayloads(fresh.claims));
    for (let ms = 0; ms < 10_000; ms += 500) {
      net.run(500);
      assert.equal(fresh.answering.size, 0, `${ms} ms`);
    }
    assert.equal(fresh.ownership.isStarted, true);
    for (const [address, owner] of speakers.owners()) assert.match(owner, /^node-[012]$/, address);
  });
});
