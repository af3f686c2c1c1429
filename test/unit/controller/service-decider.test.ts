import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { type Decision, ServiceDecider } from '../../../src/controller/services/service-decider.ts';
import { ServiceStore } from '../../../src/controller/services/service-store.ts';
import type { Service } from '../../../src/kubernetes/model.ts';
import { config, pool, service } from '../speaker/fixtures.ts';

const shared = { annotations: { 'bellman.dev/allow-shared-ip': 'k' } };
const port = (number: number) => ({ ports: [{ protocol: 'TCP' as const, port: number }] });

/** A decider over Services that a test changes one after the other. */
function setUp(cidr: string) {
  const allocator = new Allocator();
  allocator.setConfig(config([pool('a', [cidr])], []));
  const services = new ServiceStore();
  const decider = new ServiceDecider(allocator, services, { loadBalancerClass: undefined, adoptOnly: false });
  let version = 0;
  const set = (name: string, over: Partial<Service> = {}) => {
    services.set(`default/${name}`, service(name, [], { ...over, resourceVersion: `${++version}` }));
    return `default/${name}`;
  };
  const remove = (name: string) => {
    services.set(`default/${name}`, undefined);
    return `default/${name}`;
  };
  return { allocator, decider, set, remove };
}

function inWords(decision: Decision): string {
  const name = decision.key.replace('default/', '');
  switch (decision.kind) {
    case 'released':
      return `${name} released ${decision.freed.map(({ address }) => formatIp(address)).join() || 'nothing'}`;
    case 'reconciled':
      return decision.outcome.refusal
        ? `${name} is refused: ${decision.outcome.refusal.cause}`
        : `${name} holds ${decision.outcome.assigned.map(({ address }) => formatIp(address)).join()}`;
    default:
      return `${name} ${decision.kind}`;
  }
}

test('ServiceDecider decides about removed Services first, then about waiting Services, then about new Services', () => {
  const { decider, set, remove } = setUp('192.0.2.1/32');
  decider.decide([set('holder'), set('waiter')]);
  assert.deepEqual(decider.decide([set('new'), remove('holder')]).map(inWords), [
    'holder released 192.0.2.1',
    'waiter holds 192.0.2.1',
    'new is refused: pool-exhausted',
  ]);
});

test('ServiceDecider serves waiting Services in request order, even if a Service that asked later has just changed', () => {
  const { decider, set, remove } = setUp('192.0.2.1/32');
  decider.decide([set('holder'), set('first'), set('second')]);
  const decisions = decider.decide([set('second', { labels: { changed: 'yes' } }), remove('holder')]);
  assert.equal(decisions.map(inWords)[1], 'first holds 192.0.2.1');
});

test('ServiceDecider decides about a displaced Service right after the Service that displaces it', () => {
  const { decider, set } = setUp('192.0.2.0/31');
  decider.decide([set('senior', { ...shared, ...port(80) }), set('junior', { ...shared, ...port(443) })]);
  assert.deepEqual(decider.decide([set('senior', { ...shared, ...port(443) })]).map(inWords), [
    'senior holds 192.0.2.0',
    'junior holds 192.0.2.1',
  ]);
});

test('ServiceDecider lets a Service that is being deleted keep its address, but never gives it a new address', () => {
  const { allocator, decider, set } = setUp('192.0.2.0/31');
  decider.decide([set('web')]);
  assert.deepEqual(
    decider.decide([set('web', { deleting: true }), set('late', { deleting: true })]).map(inWords),
    ['web leaving', 'late leaving'],
  );
  assert.equal(allocator.holdingOf('default/web').length, 1);
  assert.equal(allocator.holdingOf('default/late').length, 0);
});

test('ServiceDecider releases a Service of another class', () => {
  const { decider, set } = setUp('192.0.2.0/31');
  decider.decide([set('web')]);
  assert.deepEqual(decider.decide([set('web', { loadBalancerClass: 'example.com/other' })]).map(inWords), [
    'web released 192.0.2.0',
  ]);
});
