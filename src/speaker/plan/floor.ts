/**
 * The floor: leaving nodes keep announcing an address when too few other nodes could announce it. All nodes judge by the same Nodes, slices
 * and configuration, so they come to the same result without asking each other. If nodes see a change at different times, the drain delay
 * outlasts the difference.
 *
 * When the floor would be broken, no leaving node leaves the address. If only some of them stayed, these would have to be chosen by an
 * order of the nodes. Each change of the nodes could then change the choice, and a node that has left would announce the address again.
 */

/**
 * Whether the leaving nodes among the candidates may leave: at least `minAnnouncers` candidates stay, or no candidate leaves. Stops counting
 * as soon as enough candidates stay, because there may be thousands.
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
