import type { ObjectKey } from './model.ts';

/** An event to record on an object: written only when an outcome changes. */
export interface EventRecord {
  readonly regarding: ObjectKey & { readonly kind: 'Service' | 'ConfigMap' | 'Node'; readonly uid: string };
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, e.g. `IPAllocated`. */
  readonly reason: string;
  readonly message: string;
}
