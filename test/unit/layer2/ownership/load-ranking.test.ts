import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LoadHeap } from '../../../../src/layer2/ownership/load-ranking.ts';

const nodes = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/**
 * A `back` step moves a node away from the front. `first()` finds this move without a call of `note()`. A `note` step moves a node toward the front,
 * so the test then calls `note()`.
 */
const step = fc.oneof(
  fc.record({ kind: fc.constant('back' as const), node: fc.constantFrom(...nodes), by: fc.nat(5) }),
  fc.record({ kind: fc.constant('note' as const), node: fc.constantFrom(...nodes), by: fc.nat(5) }),
  fc.record({ kind: fc.constantFrom('first' as const, 'remove' as const) }),
);

for (const order of ['least', 'greatest'] as const)
  test(`LoadHeap finds the node with the ${order} load, as a sort does, whatever loads have changed`, () => {
    const sign = order === 'least' ? 1 : -1;
    fc.assert(
      fc.property(
        fc.array(fc.nat(4), { minLength: nodes.length, maxLength: nodes.length }),
        fc.array(step, { maxLength: 40, size: 'max' }),
        (its, steps) => {
          const loads = new Map(nodes.map((node, i) => [node, its[i] ?? 0]));
          const load = (node: string) => loads.get(node) ?? 0;
          const heap = new LoadHeap(order, nodes, load);
          let left = nodes;
          const sorted = () => left.toSorted((a, b) => sign * (load(a) - load(b)));
          for (const each of steps) {
            if (each.kind === 'back') loads.set(each.node, load(each.node) + sign * each.by);
            else if (each.kind === 'note') {
              loads.set(each.node, load(each.node) - sign * each.by);
              heap.note(each.node);
            } else {
              const [first] = sorted();
              assert.equal(heap.first(), first);
              if (each.kind === 'first') continue;
              heap.removeFirst();
              left = left.filter((node) => node !== first);
            }
          }
          assert.equal(heap.first(), sorted()[0]);
        },
      ),
    );
  });
