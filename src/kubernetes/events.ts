import type { EventReason } from './event-reasons.ts';
import type { ObjectKey } from './model.ts';

/** An event to record on an object: written only when an outcome changes. */
export interface EventRecord {
  readonly regarding: ObjectKey & { readonly kind: 'Service' | 'ConfigMap' | 'Node'; readonly uid: string };
  readonly type: 'Normal' | 'Warning';
  readonly reason: EventReason;
  readonly message: string;
  /** Set when the outcome may be known from before a restart: an equal event that stands already is not counted again. */
  readonly onlyIfNew?: boolean;
}
