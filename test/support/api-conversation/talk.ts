import type { Answer } from './server.ts';

/** Sends a request. The name of the request is the key of its answer, so a talk uses each name only once. */
export type Ask = (
  name: string,
  method: string,
  path: string,
  body?: unknown,
  contentType?: string,
) => Promise<Answer>;

/** Requests about one subject, one after another. */
export type Talk = (ask: Ask) => Promise<void>;

export interface Versioned {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** The resourceVersion of an answer. */
export function versionOf({ body }: Answer): string {
  return (body as Versioned).metadata.resourceVersion;
}
