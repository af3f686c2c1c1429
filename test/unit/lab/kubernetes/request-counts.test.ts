import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../../lab/kubernetes/audit-log.ts';
import { countRequests } from '../../../../lab/kubernetes/request-counts.ts';

function event(second: number, changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    stage: 'ResponseComplete',
    verb: 'list',
    requestURI: '/api/v1/services?limit=500',
    objectRef: { resource: 'services' },
    user: { username: 'system:serviceaccount:bellman-system:speaker' },
    userAgent: 'bellman-speaker/0.1.0',
    sourceIPs: ['10.255.0.11'],
    requestReceivedTimestamp: `2026-01-02T03:00:${String(second).padStart(2, '0')}.000000Z`,
    ...changes,
  };
}

const span = { fromMs: Date.parse('2026-01-02T03:00:10Z'), toMs: Date.parse('2026-01-02T03:00:20Z') };

test('countRequests() counts the requests of each process within the span of time, by verb and resource', () => {
  const { objectRef: _, ...version } = event(13, { verb: 'get', requestURI: '/version?x' });
  const events = [
    event(9),
    event(10),
    event(19),
    event(20),
    event(11, { sourceIPs: ['10.255.0.12'] }),
    event(12, { verb: 'patch', objectRef: { resource: 'services', subresource: 'status' } }),
    version,
    event(14, { user: { username: 'admin' }, userAgent: 'kubectl/v1.37.2' }),
  ];
  assert.deepEqual(
    countRequests(events, span).map(({ process, total, byKind }) => [
      process,
      total,
      Object.fromEntries(byKind),
    ]),
    [
      [
        'bellman-speaker 10.255.0.11',
        4,
        { 'list services': 2, 'patch services/status': 1, 'get /version': 1 },
      ],
      ['bellman-speaker 10.255.0.12', 1, { 'list services': 1 }],
    ],
  );
});

test('countRequests() counts a watch once, when it begins', () => {
  const watch = { verb: 'watch' } as const;
  const events = [event(11, { ...watch, stage: 'ResponseStarted' }), event(12, watch)];
  assert.deepEqual(
    countRequests(events, span).map(({ total }) => total),
    [1],
  );
});
