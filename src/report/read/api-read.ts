import type { Api, RawObject } from '../../kubernetes/api.ts';
import { ApiError } from '../../kubernetes/api-error.ts';

const timeoutMs = 60_000;

/** Reads an object or a list. Returns `undefined` when it does not exist. */
export async function readObject<T>(client: Api, path: string): Promise<T | undefined> {
  try {
    return await client.request<T>({ method: 'GET', path, timeoutMs });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Reads an object that the report can do without. Returns `undefined` when it does not exist or the user may not read it. */
export async function readOptional<T>(client: Api, path: string): Promise<T | undefined> {
  return allowed(readObject<T>(client, path));
}

/** Reads all objects of a list. */
export async function readList(client: Api, path: string): Promise<readonly RawObject[]> {
  return (await readObject<RawList>(client, path))?.items ?? [];
}

/**
 * Reads all objects of a list that the report can do without. Returns `undefined` when the user may not read them, and an empty list when
 * the server does not know the kind.
 */
export async function readOptionalList(client: Api, path: string): Promise<readonly RawObject[] | undefined> {
  return allowed(readList(client, path));
}

/** The result of a read; `undefined` when the user has no right to it. */
async function allowed<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return undefined;
    throw error;
  }
}

interface RawList {
  readonly items: readonly RawObject[];
}
