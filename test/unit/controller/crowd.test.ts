import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Crowd } from '../../../src/controller/allocator/crowd.ts';
import { type SharingTerms, sharingRefusal } from '../../../src/controller/allocator/sharing.ts';

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
        const named = all.map(
          (each, i): SharingTerms => ({ ...each.terms, service: `${each.terms.namespace}/s${i}` }),
        );
        for (const [seniority, each] of named.entries())
          crowd.add({ service: each.service, seniority }, each);
        for (const [i, each] of named.entries()) if (all[i]?.isRemoved) crowd.remove(each.service, each);
        const left = named.filter((_, i) => !all[i]?.isRemoved);
        for (const [seniority, { service }] of named.entries())
          assert.equal(crowd.seniorityOf(service), all[seniority]?.isRemoved ? undefined : seniority);
        const newcomer = { ...asked, service: `${asked.namespace}/new` };
        const agrees = (of: SharingTerms, others: readonly SharingTerms[]) =>
          others.every((other) => sharingRefusal(of, other, { acrossNamespaces }) === undefined);
        assert.equal(crowd.agreesWith(newcomer, { acrossNamespaces }), agrees(newcomer, left));
        assert.equal(
          crowd.hasNamespace('a'),
          left.some(({ namespace }) => namespace === 'a'),
        );
        assert.equal(
          crowd.hasOtherNamespace('a'),
          left.some(({ namespace }) => namespace !== 'a'),
        );
        // The own entry of a member with sharing keys does not count against it. The other members decide.
        const [member, ...others] = left;
        if (member && member.keys.length > 0)
          assert.equal(crowd.agreesWith(member, { acrossNamespaces }), agrees(member, others));
      },
    ),
  );
});
