import { fail, ok, type Result } from '../../result.ts';
import type { LargeCommunity } from '../config.ts';
import { type Path, show, showSome } from '../errors.ts';
import type { Findings } from '../schema/index.ts';
import { spellingHint } from '../spelling.ts';

export type Community =
  | { readonly kind: 'standard'; readonly value: number }
  | { readonly kind: 'large'; readonly value: LargeCommunity };

const wellKnown = (value: number): Community => ({ kind: 'standard', value });

/** The well-known communities (RFC 1997, RFC 3765, RFC 7999, RFC 8326). An entry of `bgp-communities` may give such a name another value. */
export const wellKnownCommunities: ReadonlyMap<string, Community> = new Map([
  ['no-export', wellKnown(0xffffff01)],
  ['no-advertise', wellKnown(0xffffff02)],
  ['no-export-subconfed', wellKnown(0xffffff03)],
  ['no-peer', wellKnown(0xffffff04)],
  ['blackhole', wellKnown(0xffff029a)],
  ['graceful-shutdown', wellKnown(0xffff0000)],
]);

/** Reads a community: `a:b` with 16-bit numbers, or a large community `a:b:c` or `large:a:b:c` with 32-bit numbers. */
export function readCommunity(text: string): Result<Community, string> {
  const isMarked = text.startsWith('large:');
  const parts = (isMarked ? text.slice('large:'.length) : text).split(':');
  const [a = Number.NaN, b = Number.NaN, c = Number.NaN] = parts
    .slice(0, 3)
    .map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length === 2 && !isMarked) {
    if (a <= 65535 && b <= 65535) return ok({ kind: 'standard', value: a * 65536 + b });
    const asLarge = a <= 4294967295 && b <= 65535 ? `; write a large community as ${a}:0:${b}` : '';
    return fail(`${show(text)} is not a community of two numbers from 0 to 65535${asLarge}`);
  }
  if (parts.length === 3) {
    if (Math.max(a, b, c) <= 4294967295) return ok({ kind: 'large', value: [a, b, c] });
    return fail(`${show(text)} is not a large community of three numbers from 0 to 4294967295`);
  }
  return fail(`${show(text)} is not a community like 64512:1 or 64512:1:2${sexagesimalHint(text)}`);
}

/** Reads a community or one of the names. Reports any other text as an error. */
export function resolveCommunity(
  text: string,
  path: Path,
  names: ReadonlyMap<string, Community>,
  findings: Findings,
): Community | undefined {
  const named = names.get(text);
  if (named) return named;
  const read = readCommunity(text);
  if (read.ok) return read.value;
  findings.error(path, () => {
    if (/^[\d:]+$/.test(text) || text.startsWith('large:')) return read.error;
    const meant = spellingHint(text, [...names.keys()]);
    const known =
      meant === undefined ? `known: ${showSome([...names.keys()], 20)}` : `did you mean ${show(meant)}?`;
    return `${show(text)} is neither a community like 64512:1 nor the name of a community; ${known}`;
  });
  return undefined;
}

/** YAML 1.1 reads an unquoted 64512:1 as 64512 × 60 + 1. A YAML 1.1 tool that rewrites the file replaces the community with that number. */
function sexagesimalHint(text: string): string {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (number < 60) return '';
  return `; YAML 1.1 reads ${Math.floor(number / 60)}:${number % 60} as the number ${text}; put communities in quotes, so that tools with YAML 1.1 keep them`;
}
