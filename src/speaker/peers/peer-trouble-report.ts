import { configMapName } from '../../cluster/names.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import type { Logger } from '../../log.ts';
import type { PeerTrouble } from './peer-set.ts';

const reasons = {
  password: 'PasswordMissing',
  'bfd-keys': 'BfdKeyMissing',
  'bfd-sharing': 'BfdSessionShared',
} as const satisfies Readonly<Record<PeerTrouble['subject'], string>>;

/** The channels to operators, and the ConfigMap that configures the peer. */
interface TroubleChannels {
  readonly configMap: { readonly namespace: string; readonly uid: string };
  readonly events: Pick<EventRecorder, 'record'>;
  readonly logger: Logger;
}

/**
 * Reports a peer's trouble in the log and in an event of the ConfigMap. The event's message leaves out the node name, so that Kubernetes
 * merges the events of all nodes.
 */
export function reportPeerTrouble(
  { peer, subject, reason }: PeerTrouble,
  { configMap, events, logger }: TroubleChannels,
): void {
  if (subject === 'password') logger.warn({ peer, reason }, 'password-secret not usable');
  else if (subject === 'bfd-keys') logger.warn({ peer, reason }, 'key-secret not usable');
  else logger.warn({ peer, reason }, 'bfd-profile not in force');
  events.record({
    regarding: { kind: 'ConfigMap', namespace: configMap.namespace, name: configMapName, uid: configMap.uid },
    type: 'Warning',
    reason: reasons[subject],
    message: `peer ${peer}: ${reason}`,
  });
}
