/**
 * The floor: leaving nodes keep announcing an address when too few other nodes could announce it. All nodes judge by the same Nodes,
 * EndpointSlices, speaker Pods and configuration, so they come to the same result without asking each other. Nodes may see a change at different
 * times, but the drain delay is longer than the difference.
 *
 * When the floor would be broken, every leaving node goes on announcing the address, even if fewer leaving nodes would be enough for the floor.
 * To choose these few, the nodes would need a rule, such as the order of names. Each change of the nodes could then change the choice, and a
 * node that had already withdrawn the address would announce it again.
 */

/**
 * Whether the leaving nodes among the candidates may stop announcing: at least `minAnnouncers` candidates stay, or no candidate leaves. Stops
 * counting as soon as enough candidates stay, because there may be thousands of candidates.
 */
export function mayLeave(
  candidates: Iterable<string>,
  isLeaving: (node: string) => boolean,
  minAnnouncers: number,
): boolean {
  let staying = 0;
  let leaving = 0;
  for (const node of candidates) {
    if (isLeaving(node)) leaving++;
    else staying++;
    if (staying >= minAnnouncers) return true;
  }
  return leaving === 0;
}
