import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drainProgress } from '../../../src/cli/drain/progress.ts';
import { decodedStatus } from './fixtures.ts';

const leaving = {
  cause: 'maintenance',
  reason: 'is in maintenance',
  since: '2026-01-01T00:00:00Z',
  draining: [],
  heldByFloor: [],
};

const peer = { name: 'router', state: 'Established', since: '2026-01-01T00:00:00Z', routesSent: 1 };
const held = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
const cases: readonly (readonly [string, object, boolean, RegExp])[] = [
  ['has not seen the annotation', { leaving: undefined }, false, /does not know yet/],
  ['answers in layer 2', { announcing: { '192.0.2.1': '' } }, false, /1 address in layer 2 and 0 by BGP/],
  [
    'announces by BGP',
    { advertised: { '192.0.2.1': ['router'] } },
    false,
    /0 addresses in layer 2 and 1 by BGP/,
  ],
  ['has not sent all withdrawals', { peers: [peer] }, false, /still announces/],
  [
    'is held by the floor',
    { advertised: { '192.0.2.1': ['router'] }, leaving: { ...leaving, heldByFloor: held } },
    false,
    /keeps announcing 192\.0\.2\.1, 192\.0\.2\.2, 192\.0\.2\.3 and 2 more/,
  ],
  ['announces nothing', { peers: [{ ...peer, routesSent: 0 }] }, true, /announces nothing/],
];
for (const [name, over, isDone, text] of cases)
  test(`drainProgress() is ${isDone ? '' : 'not '}done when the speaker ${name}`, () => {
    const progress = drainProgress(decodedStatus({ leaving, ...over }));
    assert.equal(progress.isDone, isDone);
    assert.match(progress.text, text);
  });
