import type { EndpointSlice, Node, Service } from '../../kubernetes/model.ts';
import type { ClusterView } from '../status/view.ts';
import type { TracedEvent } from '../traced-event.ts';

/** The facts on which an explanation is based. */
export interface ExplainFacts {
  /** `namespace/name`, or an address in canonical text. */
  readonly subject: string;
  /** Set when the subject is an address. */
  readonly address: string | undefined;
  /** The Service, of any type and class; `undefined` when there is none. */
  readonly service: Service | undefined;
  /** The EndpointSlices of the Service; `undefined` when the user may not read them. */
  readonly slices: readonly EndpointSlice[] | undefined;
  readonly nodes: readonly Node[];
  /** The class that `--load-balancer-class` names, for speakers that do not report theirs. */
  readonly loadBalancerClass: string | undefined;
  readonly cluster: ClusterView;
  /** The events that the speakers have recorded about the addresses and their peers, oldest first. */
  readonly events: readonly TracedEvent[];
}
