/** Guesses what a misspelt word was meant to be, for error messages. */

/** Maps a key of another program, or a word that people write in place of a key, to the key that means the same here. */
const synonyms: Readonly<Record<string, string>> = {
  asn: 'my-asn',
  'local-as': 'local-asn',
  'my-as': 'my-asn',
  'remote-asn': 'peer-asn',
  'remote-as': 'peer-asn',
  'peer-as': 'peer-asn',
  neighbor: 'peer-address',
  neighbors: 'peers',
  neighbours: 'peers',
  pools: 'address-pools',
  'ip-pools': 'address-pools',
  cidrs: 'addresses',
  cidr: 'addresses',
  ranges: 'addresses',
  range: 'addresses',
  communities: 'bgp-communities',
  advertisements: 'bgp-advertisements',
  port: 'peer-port',
  address: 'peer-address',
  'local-preference': 'localpref',
  'max-hops': 'ebgp-multihop',
  'dynamic-asn': 'peer-asn',
  'enable-graceful-restart': 'graceful-restart',
  drain: 'draining',
};

/** Largest number of candidates whose edit distance is computed. A configuration may name many peers. */
const maxCandidates = 200;

/** The known word that `word` most likely means. Allows for other capitals, `_` for `-`, camelCase, synonyms, and up to two typing errors. */
export function spellingHint(word: string, known: readonly string[]): string | undefined {
  const kebab = toKebab(word);
  const same = known.find((candidate) => toKebab(candidate) === kebab);
  if (same !== undefined) return same;
  const synonym = Object.hasOwn(synonyms, kebab) ? synonyms[kebab] : undefined;
  if (synonym !== undefined && known.includes(synonym)) return synonym;
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known.slice(0, maxCandidates)) {
    const spelt = toKebab(candidate);
    if (Math.abs(spelt.length - kebab.length) >= bestDistance) continue;
    const distance = editDistance(kebab, spelt);
    if (distance < bestDistance && distance < candidate.length / 2) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function toKebab(word: string): string {
  return word
    .slice(0, 64)
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[_ ]/g, '-')
    .toLowerCase();
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
