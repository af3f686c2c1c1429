import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sighting } from '../../../../src/layer2/messages.ts';
import type { HeldForService } from '../../../../src/speaker/adoption/adoption-state.ts';
import { FirstOwners, isFirstOwner } from '../../../../src/speaker/adoption/first-owners.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { service } from '../fixtures.ts';

const address = '192.0.2.150';
const mac = '02:00:00:00:00:09';
const held = (over: Partial<HeldForService> = {}): HeldForService => ({
  ...{ service: 'default/web', address, pool: 'office', protocol: 'layer2', peers: [] },
  isAdmitted: true,
  mayAnswer: (node) => node !== 'excluded',
  ...over,
});
const sighting = (over: Partial<Sighting> = {}): Sighting => ({
  ...{ address, mac, node: 'node-2', interface: 'eth0', isFirstAsker: false },
  ...over,
});

const rows: readonly (readonly [string, Partial<HeldForService>, Partial<Sighting>, boolean])[] = [
  ['this node answers', {}, { node: 'node-1' }, true],
  ['another node answers', {}, { isFirstAsker: true }, false],
  ['this node answers, but the address is not admitted', { isAdmitted: false }, { node: 'node-1' }, false],
  ['this node answers, but may not announce', { mayAnswer: () => false }, { node: 'node-1' }, false],
  ['no host answers, and this node is the first asker', {}, { mac: '', node: '', isFirstAsker: true }, true],
  ['no host answers, and another node is the first asker', {}, { mac: '', node: '' }, false],
  [
    'a node that may not announce answers, and this node is the first asker',
    {},
    { node: 'excluded', isFirstAsker: true },
    true,
  ],
  ['a host without a speaker answers', {}, { node: '', isFirstAsker: true }, false],
];
for (const [name, ofHeld, ofSighting, expected] of rows)
  test(`isFirstOwner() is ${expected} when ${name}`, () =>
    assert.equal(isFirstOwner('node-1', held(ofHeld), sighting(ofSighting)), expected));

function setUp() {
  const lines: string[] = [];
  const clock = new VirtualClock();
  const answering = new Set<string>();
  const owners = new FirstOwners({
    nodeName: 'node-1',
    clock,
    logger: memoryLogger().logger,
    servicesOf: () => [service('web', [address])],
    isAnswering: (text) => answering.has(text),
    reconciler: {
      started: ({ interfaces }, services) =>
        void lines.push(`record ${interfaces} for ${services.map(({ name }) => name)}`),
      stopped: (text) => void lines.push(`give up ${text}`),
    },
  });
  return { owners, lines, clock, answering };
}

test('FirstOwners writes the line of this node only after the address is admitted, and only once', () => {
  const { owners, lines } = setUp();
  owners.setHeld(new Map([[address, held({ isAdmitted: false })]]));
  owners.seen(sighting({ node: 'node-1' }));
  assert.deepEqual(lines, []);
  owners.setHeld(new Map([[address, held()]]));
  owners.seen(sighting({ node: 'node-1' }));
  assert.deepEqual(lines, ['record eth0 for web']);
});

test('FirstOwners gives the line up when this node does not begin to answer in time', () => {
  const { owners, lines, clock, answering } = setUp();
  owners.setHeld(new Map([[address, held()]]));
  owners.seen(sighting({ node: 'node-1' }));
  clock.advance(10_001);
  assert.deepEqual(lines.splice(0), ['record eth0 for web', 'give up 192.0.2.150']);
  answering.add(address);
  owners.seen(sighting({ node: 'node-1' }));
  clock.advance(10_001);
  assert.deepEqual(lines, ['record eth0 for web']);
});

test('FirstOwners forgets what it saw about an address that is not held back any more', () => {
  const { owners } = setUp();
  owners.setHeld(new Map([[address, held()]]));
  owners.seen(sighting());
  assert.equal(owners.sighting(address)?.node, 'node-2');
  owners.setHeld(new Map());
  assert.equal(owners.sighting(address), undefined);
});
