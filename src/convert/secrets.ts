import { defaultNamespace, peerPasswordLabel } from '../cluster/names.ts';
import { show } from './text.ts';

/** The advice of a row about the Secret that holds a password. `where` is the namespace in which the source keeps the Secret. */
export function secretAdvice(name: string, where: string): string {
  return `copy Secret ${show(name)} from ${where} into ${defaultNamespace} and label it ${peerPasswordLabel}`;
}
