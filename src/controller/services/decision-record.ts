import { addressesOf } from './service-change.ts';
import type { Decision } from './service-decider.ts';

/** A decision as the flight recorder keeps it. */
export function decisionRecord(decision: Decision): {
  readonly event: object;
  readonly actions: readonly object[];
} {
  const { kind, key: service } = decision;
  switch (kind) {
    case 'released':
      return { event: { kind, service }, actions: [{ kind: 'free', ip: addressesOf(decision.freed) }] };
    case 'leaving':
      return { event: { kind, service }, actions: [] };
    case 'failed':
      return { event: { kind, service }, actions: [{ kind: 'retry', error: decision.error }] };
    case 'reconciled': {
      const { refusal, assigned, displaced } = decision.outcome;
      return {
        event: { kind, service, before: addressesOf(decision.before) },
        actions: [
          { kind: 'hold', ip: addressesOf(assigned) },
          ...(refusal ? [{ kind: 'refuse', cause: refusal.cause, reason: refusal.message }] : []),
          ...displaced.map((other) => ({ kind: 'displace', service: other })),
        ],
      };
    }
  }
}
