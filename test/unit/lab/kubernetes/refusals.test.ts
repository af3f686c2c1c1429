import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../../lab/kubernetes/audit-log.ts';
import { isExcused, isRefused } from '../../../../lab/kubernetes/refusals.ts';

function event(code: number, changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    // When the server cannot authenticate a request, it writes only the event `ResponseStarted`.
    stage: code === 401 ? 'ResponseStarted' : 'ResponseComplete',
    verb: 'list',
    requestURI: '/api/v1/services',
    user: { username: 'system:serviceaccount:bellman-system:speaker' },
    userAgent: 'bellman-speaker/0.1.0',
    responseStatus: { code },
    requestReceivedTimestamp: '2026-01-02T03:01:00.000000Z',
    ...changes,
  };
}

test('an answer that denies or rejects a request is a refusal; an outage, a missing object, a conflict and an old version are not', () => {
  for (const code of [400, 401, 403, 405, 415, 422, 429]) assert.ok(isRefused(event(code)), String(code));
  for (const code of [200, 201, 404, 409, 410, 500, 503, 504])
    assert.ok(!isRefused(event(code)), String(code));
});

test('only requests of Bellman count, including those whose token names no account', () => {
  const other = { username: 'admin' };
  assert.ok(!isRefused(event(403, { user: other, userAgent: 'kubectl/v1.37.2' })));
  assert.ok(isRefused(event(401, { user: {} })));
  assert.ok(isRefused(event(401, { user: {}, verb: 'watch' })));
});

test('a denied list does not count as a refusal when `bellman status` can do without the list', () => {
  for (const resource of ['events', 'namespaces', 'servicecidrs']) {
    const optional = { objectRef: { resource } };
    assert.ok(!isRefused(event(403, { ...optional, userAgent: 'bellman-status/0.1.0' })), resource);
    assert.ok(isRefused(event(403, optional)), resource);
  }
  const services = { objectRef: { resource: 'services' } };
  assert.ok(isRefused(event(403, { ...services, userAgent: 'bellman-status/0.1.0' })));
});

test('a denied list of events does not count as a refusal when a command asked for it, because commands can do without events', () => {
  for (const command of ['explain', 'capture', 'collect', 'page', 'validate']) {
    const userAgent = `bellman-${command}/0.1.0`;
    assert.ok(!isRefused(event(403, { objectRef: { resource: 'events' }, userAgent })), command);
    assert.ok(isRefused(event(403, { objectRef: { resource: 'namespaces' }, userAgent })), command);
  }
});

const at = (time: string, what: string) => ({ at: `2026-01-02T${time}.000Z`, what });
const cases: readonly (readonly [string, number, readonly ReturnType<typeof at>[], boolean])[] = [
  ['nothing happened', 403, [], false],
  ['the server is starting', 403, [at('03:00:30', 'start')], true],
  ['the server has just become ready', 403, [at('03:00:30', 'start'), at('03:00:50', 'ready')], true],
  [
    'the server has been ready for a long time',
    403,
    [at('03:00:00', 'start'), at('03:00:20', 'ready')],
    false,
  ],
  ['the server starts afterwards', 403, [at('03:01:30', 'start')], false],
  ['a test has taken the rights away', 403, [at('03:00:00', 'ready'), at('03:00:30', 'forbid')], true],
  ['the rights were given back long ago', 403, [at('03:00:00', 'forbid'), at('03:00:20', 'ready')], false],
  [
    'a node that was cut off has just returned',
    401,
    [at('03:00:00', 'ready'), at('03:00:50', 'return')],
    true,
  ],
  [
    'a right is missing after a node has returned',
    403,
    [at('03:00:00', 'ready'), at('03:00:50', 'return')],
    false,
  ],
  ['a cut-off node returned long ago', 401, [at('03:00:00', 'ready'), at('03:00:20', 'return')], false],
  [
    'a node returns while the rights are taken away',
    403,
    [at('03:00:00', 'forbid'), at('03:00:20', 'return')],
    true,
  ],
  ['the request was invalid', 422, [at('03:00:30', 'start')], false],
];
for (const [name, code, faults, expected] of cases)
  test(`a refusal is ${expected ? '' : 'not '}excused when ${name}`, () => {
    assert.equal(isExcused(event(code), faults), expected);
  });

test('a refusal by API Priority and Fairness is excused while a test takes the capacity away, and is not excused after the server has been ready for a long time', () => {
  assert.ok(isExcused(event(429), [at('03:00:00', 'ready'), at('03:00:30', 'forbid')]));
  assert.ok(!isExcused(event(429), [at('03:00:00', 'ready')]));
});
