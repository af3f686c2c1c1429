import type { SpeakerStatus } from '../../cluster/status.ts';
import { shortList } from '../../report/status/words.ts';
import { counted } from '../counted.ts';

/** How far a drain has progressed, according to the speaker of the node. */
export interface DrainProgress {
  readonly isDone: boolean;
  /** The state in a sentence. */
  readonly text: string;
}

/**
 * Judges a status of the node's speaker. Pure. A speaker that has just started announces nothing yet, but routers with graceful restart still keep
 * its earlier routes. The drain is therefore not done before the speaker has read and planned everything.
 */
export function drainProgress(status: SpeakerStatus): DrainProgress {
  const { leaving, announcing, advertised, peers, waitingFor, longWork } = status;
  if (waitingFor.length > 0)
    return { isDone: false, text: `the speaker still reads: ${waitingFor.join(', ')}` };
  if (!leaving) return { isDone: false, text: 'the speaker does not know yet that the node leaves' };
  const inLayer2 = Object.keys(announcing).length;
  const byBgp = Object.keys(advertised).length;
  const peersWithRoutes = peers.filter(({ routesSent }) => routesSent > 0).map(({ name }) => name);
  if (inLayer2 + byBgp + peersWithRoutes.length === 0) {
    const unfinished = longWork.map(({ work }) => work).join(', ');
    return unfinished === ''
      ? { isDone: true, text: 'the node announces nothing' }
      : { isDone: false, text: `the speaker has not finished: ${unfinished}` };
  }
  if (inLayer2 + byBgp === 0)
    return {
      isDone: false,
      text: `the node has not withdrawn all routes yet from ${shortList(peersWithRoutes)}`,
    };
  const held = leaving.heldByFloor;
  if (held.length > 0)
    return {
      isDone: false,
      text: `the node keeps announcing ${shortList(held)}, because too few other nodes could announce them`,
    };
  return {
    isDone: false,
    text: `the node still announces ${counted(inLayer2, 'address', 'es')} in layer 2 and ${byBgp} by BGP`,
  };
}
