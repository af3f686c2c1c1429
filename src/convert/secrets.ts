import { defaultNamespace, peerPasswordLabel } from '../cluster/names.ts';
import { show } from './text.ts';

/** Says in the table what to do with the Secret of a password. `where` is the place in which the source keeps it. */
export function secretAdvice(name: string, where: string): string {
  return `copy Secret ${show(name)} from ${where} into ${defaultNamespace} and label it ${peerPasswordLabel}`;
}
