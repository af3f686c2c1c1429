import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { InterfaceWatch } from '../../../src/bgp/interface-watch.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function fixture() {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const node = { names: ['eth0'], reads: 0, isBroken: false };
  const changes: string[] = [];
  const watch = new InterfaceWatch({
    clock,
    logger: pino({}, { write: (line: string) => void lines.push(line) }),
    read: () => {
      node.reads++;
      if (node.isBroken) throw new Error('getifaddrs failed');
      return node.names.map((name) => ({ name, addresses: [] }));
    },
    changed: (interfaces) => void changes.push(interfaces.map(({ name }) => name).join()),
  });
  return { clock, watch, node, changes, lines };
}

describe('InterfaceWatch', () => {
  test('reports a change within a second, and nothing without a change', () => {
    const { clock, watch, node, changes } = fixture();
    watch.start();
    clock.advance(5000);
    assert.deepEqual(changes, []);
    node.names = ['eth1'];
    clock.advance(1000);
    assert.deepEqual(changes, ['eth1']);
  });

  test('reads the interfaces at once after the first hint, and only once more for a burst of further hints', () => {
    const { clock, watch, node, changes } = fixture();
    watch.start();
    node.names = [];
    watch.hint();
    assert.deepEqual(changes, ['']);
    const { reads } = node;
    for (let i = 0; i < 1000; i++) {
      node.names = [`eth${i}`];
      watch.hint();
    }
    clock.advance(100);
    assert.equal(node.reads, reads + 1);
    assert.deepEqual(changes, ['', 'eth999']);
  });

  test('reports nothing after it is stopped', () => {
    const { clock, watch, node, changes } = fixture();
    watch.start();
    watch.stop();
    node.names = [];
    watch.hint();
    clock.advance(5000);
    assert.deepEqual(changes, []);
  });

  test('continues when the interfaces cannot be read, and logs the failure once', () => {
    const { clock, watch, node, changes, lines } = fixture();
    watch.start();
    node.isBroken = true;
    clock.advance(5000);
    assert.equal(lines.length, 1);
    node.isBroken = false;
    node.names = ['eth2'];
    clock.advance(1000);
    assert.deepEqual(changes, ['eth2']);
  });
});
