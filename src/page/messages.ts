/** The messages between a process that serves the page and the child that collects its data. */
import type { LogLevel } from '../log.ts';

/** The only argument of the child; it is passed as JSON. */
export interface PageProcessOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly loadBalancerClass?: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  /** Address of the leader, if it is known. */
  readonly controllerAddress?: string;
  readonly logLevel: LogLevel;
}

export type ToPage =
  | { readonly kind: 'explain'; readonly id: number; readonly service: string }
  | { readonly kind: 'stop' };

export type FromPage =
  | ({ readonly kind: 'data' } & Snapshot)
  /** The cluster could not be read. The last data stays. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'explanation'; readonly id: number; readonly answer: ExplainAnswer };

/** The data at one time. */
export interface Snapshot {
  /** Equal for equal data. */
  readonly tag: string;
  /** `PageData` as JSON, compressed by gzip, in base64. */
  readonly gzip: string;
  /** RFC 3339. */
  readonly collectedAt: string;
}

/** An explanation as JSON, or why there is none. */
export type ExplainAnswer = { readonly json: string } | { readonly problem: string };
