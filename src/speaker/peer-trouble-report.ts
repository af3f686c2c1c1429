import { configMapName } from '../cluster/names.ts';
import type { EventRecord } from '../kubernetes/events.ts';
import type { PeerTrouble } from './peer-set.ts';

const reasons = {
  password: 'PasswordMissing',
  'bfd-keys': 'BfdKeyMissing',
  'bfd-sharing': 'BfdSessionShared',
} as const satisfies Readonly<Record<PeerTrouble['subject'], string>>;

/** The event for a peer's trouble. Its message leaves out the node name so that Kubernetes merges the events of all nodes. */
export function peerTroubleEvent(
  { peer, subject, reason }: PeerTrouble,
  configMap: { readonly namespace: string; readonly uid: string },
): EventRecord {
  return {
    regarding: { kind: 'ConfigMap', namespace: configMap.namespace, name: configMapName, uid: configMap.uid },
    type: 'Warning',
    reason: reasons[subject],
    message: `peer ${peer}: ${reason}`,
  };
}
