import assert from 'node:assert/strict';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import {
  decodeSpeakerStatus,
  type SpeakerStatus,
  type SpeakerStatusBody,
} from '../../../src/cluster/status.ts';
import type { ConfigMap } from '../../../src/kubernetes/model.ts';

/** A ConfigMap with this text, which the controller has accepted. */
export function acceptedConfigMap(
  text: string,
  annotations: Readonly<Record<string, string>> = {},
): ConfigMap {
  return {
    namespace: 'bellman-system',
    name: 'config',
    uid: 'u',
    resourceVersion: '1',
    annotations: {
      'bellman.dev/accepted-config': text,
      'bellman.dev/accepted-hash': configHash(text),
      'bellman.dev/accepted-at': '2026-01-02T03:04:05Z',
      'bellman.dev/config-status': 'active',
      ...annotations,
    },
    data: { config: text },
  };
}

/** The status of a speaker that does nothing. */
export function speakerStatus(over: Partial<SpeakerStatus> = {}): SpeakerStatus {
  return {
    version: 1,
    node: '',
    waitingFor: [],
    apiServer: 'reached',
    peers: [],
    announcing: {},
    inUse: {},
    unverified: {},
    advertised: {},
    members: [],
    notAnnounced: [],
    troubles: [],
    longWork: [],
    ...over,
  };
}

/** The fields of a speaker's status that every release sends. */
export const leastStatus: SpeakerStatusBody = {
  peers: [],
  announcing: {},
  inUse: {},
  advertised: {},
  members: [],
  notAnnounced: [],
};

/** The decoded status of a speaker that sends `leastStatus` with these fields added or replaced. */
export function decodedStatus(fields: object = {}): SpeakerStatus {
  const decoded = decodeSpeakerStatus(JSON.stringify({ ...leastStatus, ...fields }));
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error);
  return decoded.value;
}
