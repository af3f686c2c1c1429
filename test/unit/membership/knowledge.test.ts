import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Knowledge } from '../../../src/membership/knowledge.ts';
import { LocalMember } from '../../../src/membership/local-member.ts';
import { MemberTable } from '../../../src/membership/member-table.ts';
import { TextStore, textPayload } from '../../support/text-payloads.ts';

const endpoint = { host: '192.0.2.1', port: 7946 };

/** The knowledge of a member that holds these records and knows `members` other members, all of them alive. */
function knowledgeOf(members: number, records: readonly string[]): Knowledge {
  const table = new MemberTable();
  for (let i = 0; i < members; i++)
    table.merge(
      { kind: 'member', name: `node-${i}`, state: 'alive', incarnation: 1, endpoint, metadata: '' },
      0,
    );
  const store = new TextStore();
  for (const record of records) store.merge(textPayload(record));
  return new Knowledge(
    new LocalMember({ name: 'self', incarnation: 1, port: endpoint.port, metadata: '' }),
    table,
    store,
  );
}

const kindsIn = (own: Knowledge, other: Knowledge) => {
  const { records } = own.compare(other.digests(), true);
  return [...new Set(records.map(({ kind }) => kind))].sort();
};

describe('Knowledge.compare() of members with different payloads', () => {
  test('gives payloads when most buckets of members are the same', () => {
    assert.deepEqual(kindsIn(knowledgeOf(200, ['x', 'y']), knowledgeOf(195, ['x'])), ['member', 'payload']);
  });

  test('gives no payloads while most buckets of members differ, as at the end of a partition', () => {
    assert.deepEqual(kindsIn(knowledgeOf(200, ['x', 'y']), knowledgeOf(20, ['x'])), ['member']);
  });

  test('gives a new member, which has no payloads, everything at once', () => {
    assert.deepEqual(kindsIn(knowledgeOf(200, ['x', 'y']), knowledgeOf(0, [])), ['member', 'payload']);
  });
});

test('for a differing bucket with more than eight members, Knowledge.compare() gives the branch instead of the records', () => {
  const { branches, records } = knowledgeOf(1000, []).compare(knowledgeOf(999, []).digests(), true);
  assert.deepEqual(
    branches.map(({ tree }) => tree),
    ['members'],
  );
  assert.deepEqual(records, []);
});
