import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventRecord } from '../../../../src/kubernetes/events.ts';
import { reportPeerTrouble } from '../../../../src/speaker/peers/peer-trouble-report.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';

for (const [subject, message, eventReason] of [
  ['password', 'password-secret not usable', 'PasswordMissing'],
  ['bfd-keys', 'key-secret not usable', 'BfdKeyMissing'],
  ['bfd-sharing', 'bfd-profile not in force', 'BfdSessionShared'],
] as const)
  test(`reportPeerTrouble() logs '${message}' and records ${eventReason}, without the name of the node`, () => {
    const { logger, lines } = memoryLogger();
    const recorded: EventRecord[] = [];
    reportPeerTrouble(
      { peer: 'router', subject, reason: 'the reason' },
      {
        configMap: { namespace: 'bellman-system', uid: 'u1' },
        events: { record: (event) => void recorded.push(event) },
        logger,
      },
    );
    assert.deepEqual(
      lines.map(({ level, msg, peer, reason }) => ({ level, msg, peer, reason })),
      [{ level: 'warn', msg: message, peer: 'router', reason: 'the reason' }],
    );
    assert.deepEqual(recorded, [
      {
        regarding: { kind: 'ConfigMap', namespace: 'bellman-system', name: 'config', uid: 'u1' },
        type: 'Warning',
        reason: eventReason,
        message: 'peer router: the reason',
      },
    ]);
  });
