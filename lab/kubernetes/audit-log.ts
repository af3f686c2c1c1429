/** Reads the audit log of kube-apiserver: one JSON object per line, appended while the server runs. */
import { closeSync, openSync, readSync } from 'node:fs';

/** The fields of `audit.k8s.io/v1 Event` that this project reads. */
export interface AuditEvent {
  readonly stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  readonly verb: string;
  readonly requestURI: string;
  /** `username` is absent when the token names no account. */
  readonly user: {
    readonly username?: string;
    /** A token of a ServiceAccount has its `jti` under `authentication.kubernetes.io/credential-id`. */
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly userAgent?: string;
  /** The addresses of the client and of the proxies between it and the server. */
  readonly sourceIPs?: readonly string[];
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
  readonly requestReceivedTimestamp: string;
  /** Only for the resources that `audit-policy.yaml` logs with bodies. */
  readonly responseObject?: unknown;
}

/**
 * Whether this event is the one by which its request is counted. When a watch ends, it has a second event, which does not count. A request whose
 * token is invalid has only the event `ResponseStarted`.
 */
export function isFirstOfRequest({ stage, verb, responseStatus }: AuditEvent): boolean {
  const isEarly = verb === 'watch' || responseStatus?.code === 401;
  return stage === (isEarly ? 'ResponseStarted' : 'ResponseComplete');
}

/** The resource of a request, with its subresource: `services/status`. `undefined` for a path outside the API, such as `/readyz`. */
export function resourceOf({ objectRef }: AuditEvent): string | undefined {
  if (objectRef === undefined) return undefined;
  const { resource, subresource } = objectRef;
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** Reads the events that a log has gained since the last call. */
export class AuditLog {
  readonly #path: string;
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** The events since the last call. A line that is not complete yet waits for the next call. */
  read(): readonly AuditEvent[] {
    const lines = (this.#rest + this.#newText()).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as AuditEvent);
  }

  #newText(): string {
    const file = openSync(this.#path, 'r');
    try {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(1 << 20);
        const count = readSync(file, chunk, 0, chunk.length, this.#offset);
        if (count === 0) break;
        this.#offset += count;
        chunks.push(chunk.subarray(0, count));
      }
      // kube-apiserver appends whole lines, so the text does not end inside a character.
      return Buffer.concat(chunks).toString('utf8');
    } finally {
      closeSync(file);
    }
  }
}
