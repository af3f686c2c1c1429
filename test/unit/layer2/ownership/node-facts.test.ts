import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '../../../../src/address/index.ts';
import { formatFacts, parseFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { emptyReport } from '../../../../src/layer2/ownership/witness-facts.ts';
import type { Link } from '../../../../src/link/link-table.ts';

function link(name: string, ...subnets: readonly string[]): Link {
  return {
    index: 1,
    epoch: 0,
    name,
    mac: Uint8Array.of(2, 0, 0, 0, 0xab, 1),
    subnets: subnets.flatMap((text) => parsePrefix(text) ?? []),
  };
}

const all = () => true;
const answering = { isLeaving: false, isStarting: false };

test('parseFacts() reads what formatFacts() writes', () => {
  const links = [link('eth0', '192.0.2.0/24', '2001:db8::/64'), link('eth1')];
  for (const phase of [
    answering,
    { isLeaving: true, isStarting: false },
    { isLeaving: false, isStarting: true },
  ])
    assert.deepEqual(parseFacts(formatFacts(links, all, phase).text), {
      ...phase,
      links: [
        { name: 'eth0', mac: '02:00:00:00:ab:01', subnets: links[0]?.subnets },
        { name: 'eth1', mac: '02:00:00:00:ab:01', subnets: [] },
      ],
    });
});

const namesIn = (text: string) => parseFacts(text).links.map(({ name }) => name);

test('when not all links fit, formatFacts() includes the needed links, wherever they stand in the list', () => {
  const links = [
    ...Array.from({ length: 40 }, (_, i) => link(`br-${i}`, `10.${i}.0.0/16`)),
    link('eth0', '192.0.2.0/24'),
  ];
  const { text, leftOut } = formatFacts(links, ({ name }) => name === 'br-7' || name === 'eth0', answering);
  assert.deepEqual(namesIn(text), ['br-7', 'eth0']);
  assert.deepEqual(leftOut, []);
});

test('formatFacts() writes at most 900 ASCII characters and returns the links that do not fit', () => {
  for (const name of ['eth', 'größe', '網路']) {
    const names = Array.from({ length: 200 }, (_, i) => `${name}${i}`);
    const links = names.map((each, i) => link(each, `10.${i}.0.0/16`));
    const { text, leftOut } = formatFacts(links, all, answering);
    assert.match(text, /^[ -~]{800,900}$/);
    assert.deepEqual([...namesIn(text), ...leftOut], names);
  }
});

for (const text of [
  '',
  '{',
  'null',
  '7',
  '[]',
  '{}',
  '{"links":7}',
  '{"links":[7,null,[],["eth0"],["eth0",1,[]]]}',
])
  test(`parseFacts() finds no facts in ${text || 'an empty text'}`, () => {
    assert.deepEqual(parseFacts(text), { ...answering, links: [] });
  });

test('parseFacts() reads the parts that it knows and ignores all others', () => {
  assert.deepEqual(
    parseFacts(
      '{"leaving":"soon","more":1,"links":[["eth0","02:00:00:00:00:01",["192.0.2.0/24","?",7],"more"],["x"]]}',
    ),
    {
      ...answering,
      links: [{ name: 'eth0', mac: '02:00:00:00:00:01', subnets: [parsePrefix('192.0.2.0/24')] }],
    },
  );
});

test('formatFacts() and parseFacts() keep the report of a witness and the mute addresses', () => {
  const phase = {
    ...answering,
    witness: {
      unanswered: new Map([['node-1', new Set(['192.0.2.240', '2001:db8::f0'])]]),
      answered: new Map([['node-2', new Set(['192.0.2.241'])]]),
      isDeaf: false,
    },
    mute: new Set(['192.0.2.242']),
  };
  const { links: _, ...facts } = parseFacts(formatFacts([link('eth0')], all, phase).text);
  assert.deepEqual(facts, phase);
});

test('before it leaves out a link, formatFacts() shortens the report of a witness, and replaces a long list of mute addresses by "*" and a few addresses for trials', () => {
  const mute = new Set(Array.from({ length: 16 }, (_, i) => `2001:db8:1:2:3:4:5:${i}`));
  const unanswered = new Map([['node-1', mute]]);
  const phase = { ...answering, mute, witness: { unanswered, answered: new Map(), isDeaf: false } };
  const links = Array.from({ length: 10 }, (_, i) => link(`eth${i}`, `10.${i}.0.0/16`));
  const { text, leftOut } = formatFacts(links, all, phase);
  assert.deepEqual(leftOut, []);
  assert.deepEqual([...(parseFacts(text).mute ?? [])], ['*', ...[...mute].slice(0, 3)]);
  assert.equal(parseFacts(text).witness?.unanswered.get('node-1')?.size, 3);
});

test('formatFacts() leaves out links that are not needed before it leaves out the statements of a witness', () => {
  const witness = { unanswered: new Map(), answered: new Map(), isDeaf: true };
  const phase = { ...answering, witness, mute: new Set(['192.0.2.242']) };
  const bridges = Array.from({ length: 17 }, (_, i) => link(`br-12${i}`, `172.${i}.0.0/16`));
  const links = [...bridges, link('eth0', '192.0.2.0/24')];
  const { text, leftOut } = formatFacts(links, ({ name }) => name === 'eth0', phase);
  assert.deepEqual(
    parseFacts(formatFacts(links, all, answering).text).links.length,
    18,
    'the links alone fit',
  );
  assert.deepEqual(parseFacts(text), { ...phase, links: parseFacts(text).links });
  assert.deepEqual(namesIn(text), ['eth0']);
  assert.deepEqual(leftOut, []);
});

test('formatFacts() leaves out needed links rather than the statement that the node is mute', () => {
  const mute = new Set(['192.0.2.242']);
  const links = Array.from({ length: 30 }, (_, i) => link(`eth${i}`, `10.${i}.0.0/16`));
  const { text, leftOut } = formatFacts(links, all, { ...answering, witness: emptyReport, mute });
  const { links: _, ...facts } = parseFacts(text);
  assert.deepEqual(facts, { ...answering, mute });
  assert.deepEqual(
    [...namesIn(text), ...leftOut],
    links.map(({ name }) => name),
  );
});

for (const text of [
  '{"links":[],"witness":7,"mute":"all"}',
  '{"links":[],"witness":{"unanswered":[1],"answered":{"a":"b"},"deaf":1},"mute":[1,{}]}',
])
  test(`parseFacts() ignores malformed statements of a witness: ${text}`, () => {
    const { mute, witness } = parseFacts(text);
    assert.equal(mute, undefined);
    assert.equal((witness?.unanswered.get('0')?.size ?? 0) + (witness?.answered.size ?? 0), 0);
  });
