/** Reads the output of other programs. Pure. */

interface RoundTrips {
  readonly medianUs: number;
  readonly p99Us: number;
}

export interface Asked {
  readonly kernel: RoundTrips;
  readonly service: RoundTrips;
  readonly answeredPercent: number;
}

/** The figures that `bench/neighbour.ts --asker` prints. */
export function parseAsker(output: string): Asked {
  const trips = (name: string): RoundTrips => {
    const [, medianUs, p99Us] = find(new RegExp(`^${name}: .*median (\\S+) µs, p99 (\\S+) µs`, 'm'), output);
    return { medianUs: Number(medianUs), p99Us: Number(p99Us) };
  };
  const [, answered] = find(/^load: .*answered (\S+) %/m, output);
  return { kernel: trips('kernel'), service: trips('bellman'), answeredPercent: Number(answered) };
}

function find(pattern: RegExp, text: string): RegExpExecArray {
  const found = pattern.exec(text);
  if (!found) throw new Error(`no line matches ${pattern} in: ${text}`);
  return found;
}

export interface BgpProtocol {
  readonly isEstablished: boolean;
  /** Whether the router opens or takes connections. After an error BIRD does neither for some seconds. */
  readonly isWaiting: boolean;
  /** IPv4 routes that BIRD has imported. */
  readonly routes: number;
}

/** The state that BIRD's `show protocols all` shows for one BGP protocol. The first line `Routes:` is that of the IPv4 channel. */
export function parseBgpProtocol(lines: readonly string[]): BgpProtocol {
  const text = lines.join('\n');
  const state = /BGP state: +(\w+)/.exec(text)?.[1] ?? '';
  return {
    isEstablished: state === 'Established',
    isWaiting: ['Active', 'Connect', 'Passive'].includes(state),
    routes: Number(/Routes: +(\d+) imported/.exec(text)?.[1] ?? 0),
  };
}

/** The MAC addresses, in lower case, of the hosts that answered `arping`, in the order of their answers. */
export function parseArping(output: string): string[] {
  return [...output.matchAll(/\[((?:[0-9A-F]{2}:){5}[0-9A-F]{2})\]/gi)].map(([, mac = '']) =>
    mac.toLowerCase(),
  );
}
