import { addresses } from '../../../lab/fabric.ts';
import type { Lab } from '../../../lab/lab.ts';

/** The MetalLB of a lab, from which Bellman takes over. It announces the pool `public` by BGP and the pool `office` in layer 2. */
export interface Incumbent {
  /** The annotation of a Service that names its pool. */
  readonly poolAnnotation: string;
  /** Writes its configuration, and starts its controller and the speakers of all nodes. */
  start(lab: Lab): Promise<void>;
  /** The text of Bellman's configuration, converted from MetalLB's own as the guide says. */
  convert(lab: Lab): Promise<string>;
  /** Runs a command that `bellman takeover status` has printed. Without Kubernetes, it also does what Kubernetes would do after the command. */
  run(lab: Lab, command: string): Promise<void>;
  close(): Promise<void>;
}

export const pools = { public: '198.51.100.0/24', office: '192.0.2.150-192.0.2.220' } as const;
export const peer = { ourAsn: 64512, peerAsn: 64500, peerAddress: addresses.router[0] } as const;
