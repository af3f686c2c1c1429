import { defaultNamespace, peerPasswordLabel } from '../cluster/names.ts';
import { show } from './text.ts';

/** What the Secret of a password needs, as a part of a sentence for the table. `where` says where the source keeps it. */
export function secretAdvice(name: string, where: string): string {
  return `copy Secret ${show(name)} from ${where} into ${defaultNamespace} and label it ${peerPasswordLabel}`;
}
