import type { EventReason } from './event-reasons.ts';
import type { Node, ObjectKey } from './model.ts';

/** An event on an object, recorded only when an outcome changes. */
export interface EventRecord {
  readonly regarding: ObjectKey & { readonly kind: 'Service' | 'ConfigMap' | 'Node'; readonly uid: string };
  readonly type: 'Normal' | 'Warning';
  readonly reason: EventReason;
  readonly message: string;
  /** Set when an earlier process may have recorded an equal event. The count of that event is then not raised. */
  readonly onlyIfNew?: boolean;
}

/** The part of an event on a Node that names the Node. */
export function regardingNode({ name, uid }: Pick<Node, 'name' | 'uid'>): EventRecord['regarding'] {
  return { kind: 'Node', namespace: '', name, uid };
}
