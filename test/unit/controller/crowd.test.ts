import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Crowd } from '../../../src/controller/allocator/crowd.ts';
import { type Sharer, sharingRefusal } from '../../../src/controller/allocator/sharing.ts';

const terms = fc.record({
  namespace: fc.constantFrom('a', 'b'),
  keys: fc.uniqueArray(fc.constantFrom('x', 'y'), { maxLength: 2 }),
  ports: fc.uniqueArray(fc.constantFrom('TCP/1', 'TCP/2', 'TCP/3', 'UDP/1'), { minLength: 1, maxLength: 2 }),
  backends: fc.constantFrom('', 'app=web'),
});

test('Crowd agrees with sharing terms exactly when each of its Services does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ terms, isRemoved: fc.boolean() }), { maxLength: 12, size: 'max' }),
      terms,
      fc.boolean(),
      (all, asked, acrossNamespaces) => {
        const crowd = new Crowd();
        const holdings = all.map(({ terms }, i) => ({
          service: `${terms.namespace}/s${i}`,
          terms,
          assigned: [],
        }));
        for (const holding of holdings) crowd.add(holding);
        for (const [i, { service }] of holdings.entries()) if (all[i]?.isRemoved) crowd.remove(service);
        const left = holdings.filter((_, i) => !all[i]?.isRemoved);
        assert.deepEqual([...crowd], left);
        const newcomer = { service: `${asked.namespace}/new`, terms: asked };
        const agrees = ({ terms }: Sharer, others: readonly Sharer[]) =>
          others.every((other) => sharingRefusal(terms, other, { acrossNamespaces }) === undefined);
        assert.equal(crowd.agreesWith(newcomer, { acrossNamespaces }), agrees(newcomer, left));
        assert.equal(
          crowd.hasNamespace('a'),
          left.some(({ terms: { namespace } }) => namespace === 'a'),
        );
        assert.equal(
          crowd.hasOtherNamespace('a'),
          left.some(({ terms: { namespace } }) => namespace !== 'a'),
        );
        // The own entry of a member with sharing keys does not count against it. The other members decide.
        const [member, ...others] = left;
        if (member && member.terms.keys.length > 0)
          assert.equal(crowd.agreesWith(member, { acrossNamespaces }), agrees(member, others));
      },
    ),
  );
});
