/** Decodes list responses and watch events, and checks their shapes. */

import type { RawObject } from './api.ts';
import { ApiError, UnusableResponse } from './api-error.ts';
import { ObjectReader } from './object-reader.ts';

export interface ListPage {
  readonly resourceVersion: string;
  /** Token of the next page; empty on the last page. */
  readonly next: string;
  /** The items are not checked yet, because one unusable item must not affect the others. */
  readonly items: readonly unknown[];
}

/** Reads one page of a list. Throws {@link UnusableResponse}. */
export function readListPage(body: unknown): ListPage {
  try {
    const metadata = new ObjectReader(body).object('metadata');
    const { items } = body as { items?: unknown };
    if (!Array.isArray(items ?? [])) throw new TypeError('items is not a list');
    return {
      resourceVersion: metadata.requiredText('resourceVersion'),
      next: metadata.text('continue') ?? '',
      items: (items ?? []) as unknown[],
    };
  } catch (error) {
    throw new UnusableResponse(200, `not a list: ${(error as Error).message}`);
  }
}

/** Checks that the object has a name, and that its namespace, uid and resourceVersion are texts if they are present. Throws {@link InvalidObject}. */
export function readRawObject(value: unknown): RawObject {
  const metadata = new ObjectReader(value).object('metadata');
  metadata.requiredText('name');
  metadata.text('namespace');
  metadata.text('uid');
  metadata.text('resourceVersion');
  return value as RawObject;
}

export type WatchEvent =
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'changed' | 'deleted'; readonly object: RawObject };

const maxReasonLength = 1024;

/**
 * Reads one line of a watch. Throws {@link ApiError} for an event of type ERROR. Throws another error when the line is not an event.
 * Such a line may have been a change, so the caller must list again.
 */
export function readWatchEvent(line: string): WatchEvent {
  const event: unknown = JSON.parse(line);
  const reader = new ObjectReader(event);
  const { object } = event as { object?: unknown };
  const type = reader.requiredText('type');
  switch (type) {
    case 'BOOKMARK':
      return {
        kind: 'bookmark',
        resourceVersion: reader.object('object').object('metadata').requiredText('resourceVersion'),
      };
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'changed', object: readRawObject(object) };
    case 'DELETED':
      return { kind: 'deleted', object: readRawObject(object) };
    case 'ERROR': {
      const status = reader.object('object');
      const message = (status.text('message') ?? 'watch error').slice(0, maxReasonLength);
      throw new ApiError(status.number('code') || 500, status.text('reason') ?? 'Unknown', message);
    }
    default:
      throw new TypeError(`unknown type of watch event: ${type.slice(0, 40)}`);
  }
}
