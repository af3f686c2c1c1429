/** Speakers whose ownership and membership machines run together, over a network in virtual time. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { formatIp, parsePrefix } from '../../src/address/index.ts';
import type { Clock, Timer } from '../../src/clock.ts';
import { Coalescer } from '../../src/layer2/coalescer.ts';
import { MemberView } from '../../src/layer2/member-view.ts';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { formatFacts } from '../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../src/layer2/ownership/ownership.ts';
import { Readiness } from '../../src/layer2/ownership/readiness.ts';
import { OwnershipRunner } from '../../src/layer2/ownership-runner.ts';
import { ViewUpdates } from '../../src/layer2/view-updates.ts';
import type { Logger } from '../../src/log.ts';
import type { Changes } from '../../src/membership/change-log.ts';
import { addressEntry } from './layer2-cluster.ts';
import { MembershipNet } from './membership-net.ts';

const subnets = [parsePrefix('10.0.0.0/8') ?? assert.fail()];
const link = { index: 1, name: 'eth0', mac: Uint8Array.of(2, 0, 0, 0, 0, 1), subnets, epoch: 0 };
export const addressOf = (i: number) => `10.0.${i >> 8}.${i & 255}`;

const silent = pino({ enabled: false });

/** One speaker without its shells. Its machines are connected as in the layer-2 process. */
export class MemorySpeaker {
  readonly name: string;
  readonly claims = new ClaimStore();
  readonly answering = new Set<string>();
  readonly ownership: Ownership;
  readonly #net: MembershipNet;
  readonly #view: MemberView;
  readonly #runner: OwnershipRunner;
  readonly #readiness: Readiness;
  readonly #decideOnClaims: Coalescer;
  readonly #viewUpdates: ViewUpdates;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #readinessTimer: Timer | undefined;
  #isJoined = false;

  constructor(net: MembershipNet, name: string, addresses: readonly string[], logger: Logger = silent) {
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
      logger,
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
      beforeTick: () => this.#viewUpdates.refresh(),
      onAnswer: () => {},
    });
    this.#decideOnClaims = new Coalescer(clock, () => {
      this.#viewUpdates.refresh();
      this.#runner.send({ kind: 'tick' });
    });
    this.#viewUpdates = new ViewUpdates(clock, () => this.#updateView());
    const entries = addresses.map((address) => addressEntry(address, net.names, { observedVersion: 1 }));
    this.#runner.send({ kind: 'table', entries });
  }

  changed({ members, sync, payloads, lost }: Changes): void {
    const machine = this.#net.machine(this.name);
    if (machine) this.#view.logLosses(lost, machine);
    if (members.size === 0 && !sync && payloads.size === 0 && this.#isJoined) return;
    this.#isJoined = true;
    this.#viewUpdates.request(members);
    if (payloads.size > 0) {
      this.#viewUpdates.refreshFor([...payloads].map((address) => this.claims.get(address)?.owner ?? ''));
      this.#runner.send({ kind: 'claims-received', addresses: payloads });
      this.#decideOnClaims.request();
    }
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
    this.#runner.send({
      kind: 'view',
      view: this.#view.update(machine, this.#facts(), {
        isCertain: true,
        isStarted: this.ownership.isStarted,
      }),
    });
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
    this.#viewUpdates.refresh();
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
export class MemorySpeakers {
  readonly net: MembershipNet;
  readonly all = new Map<string, MemorySpeaker>();
  readonly addresses: readonly string[];

  constructor(
    nodes: number,
    seed: number,
    addressCount: number,
    held: readonly Claim[] = [],
    logger: Logger = silent,
  ) {
    this.addresses = Array.from({ length: addressCount }, (_, i) => addressOf(i));
    this.net = new MembershipNet({
      nodes,
      loss: 0,
      seed,
      isListCertain: true,
      storeOf: (name) => {
        const speaker = new MemorySpeaker(this.net, name, this.addresses, logger);
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
