/** The page of log messages and their fields, made from the calls of the logger. */
import { globSync, readFileSync } from 'node:fs';
import { type LogCall, logCalls } from './log-calls.ts';
import { code, page, table } from './markdown.ts';

const root = new URL('../../', import.meta.url);

/** No call of the logger passes this field. src/telemetry/log-output.ts writes the only line that has it, without the logger. */
const fieldOfLostLines = 'lines';
/** The meaning of each field of a log line. */
const fields: Readonly<Record<string, string>> = {
  action: 'what the node does about the conflict',
  actions: 'actions of the state machine',
  admitted: 'pools whose layer-2 addresses are admitted',
  at: 'milliseconds since the Unix epoch',
  attributeType: 'type code of the path attribute',
  before: 'the value before the change',
  bgp: '`held`: this node is not admitted; `waiting`: it is admitted, but another program may have a BGP session; `live`: it announces by BGP',
  capabilities: 'codes of the capabilities, or `all`',
  cause: 'cause of a [refusal](../design/allocation.md#refusals)',
  entrance: 'where the input came from: `bgp`, `bfd`, `membership`, `frame`, `http`, `watch`, `succession`',
  event: 'reason of the Kubernetes event; at level debug, the input of a state machine',
  families: 'address families that the session carries',
  hash: 'hash of the configuration',
  holdTimeSeconds: 'negotiated hold time',
  identity: 'name of this replica in the Lease',
  interface: 'name of one or several network interfaces',
  interfaces: 'names of network interfaces',
  ip: 'one or several addresses of a Service',
  kind: 'class or code of the exception',
  lease: 'path of the Lease',
  lines: 'number of log lines that were lost',
  mac: 'MAC of the other host',
  machine:
    'name of the state machine, such as `peer NAME`, `bfd NAME`, `ownership`, `membership`, `witness` or `dead-nodes`',
  metricsPort: 'port of the HTTP endpoint',
  namespaces: 'number of Namespaces',
  node: 'name of the node',
  nodes: 'names of nodes',
  object: 'namespace and name of an object',
  octets: 'the first octets of the input, in hexadecimal',
  otherSessions: 'peers with which another program on this node has a session',
  outageMs: 'milliseconds for which the API server did not answer',
  path: 'path of a local socket',
  peer: 'name of the peer; present on every line about a session',
  peerAsn: 'AS number of the peer',
  peerRouterId: 'BGP Identifier of the peer',
  peers: 'number of peers',
  pods: 'number of Pods',
  pool: 'name of one or several pools',
  pools: 'number of pools',
  port: 'port number',
  process: 'name of the child process, such as `layer-2 process`',
  reason: 'why it happened; read this text first',
  remaining: 'number of steps that are left',
  remoteReason: 'why it happened, as the peer says',
  reports: 'number of speakers that report the node as dead',
  resource: 'path of the API resource',
  retryInMs: 'milliseconds until the next attempt',
  seconds: 'how long the work has taken',
  sentLateMs:
    'the longest delay of a packet that this node sent in the last one to two seconds, in milliseconds',
  server: 'address of the API server',
  service: 'namespace and name of the Service',
  services: 'number of Services',
  sessions: 'number of BGP sessions',
  silentMs: 'milliseconds since the speaker was last heard',
  source: 'sender of the input',
  speakers: 'number of nodes that have a speaker',
  stack: 'stack of the exception',
  state: 'state of the machine after the event',
  treatment: 'treatment by RFC 7606',
  waiting: 'number of Services whose status is to be written',
  whom: 'address of the passive peer, or the family of the listener, `IPv4` or `IPv6`',
  wouldAnnounceByBgp: 'number of addresses that this node would announce by BGP',
  wouldAnswerInLayer2: 'number of addresses that are held back in layer 2',
  work: 'what is done in slices, such as `plans of Services`',
  witnesses: 'nodes whose speakers ask for the address',
};

/** The parts of the program, in the order of the page, each with the folders of `src/` that belong to it. */
const parts: readonly (readonly [string, readonly string[]])[] = [
  ['Controller', ['controller']],
  ['Speaker', ['speaker']],
  ['BGP', ['bgp']],
  ['BFD', ['bfd']],
  ['Layer 2', ['layer2', 'arp', 'ndp', 'link', 'membership']],
  ['Kubernetes API, in both daemons', ['kubernetes']],
  [
    'All processes',
    [
      'child-process',
      'succession',
      'memory',
      'telemetry',
      'cli',
      'cluster',
      'config',
      'linux',
      'main.ts',
      'log.ts',
    ],
  ],
];

interface Located extends LogCall {
  /** Folder below `src/`, or the name of a file in `src/` itself. */
  readonly folder: string;
}

export function logPage(): string {
  const calls = allLogCalls();
  const used = new Set(calls.flatMap((call) => call.fields));
  for (const field of used)
    if (fields[field] === undefined)
      throw new Error(`scripts/reference/log.ts: say what the log field ${field} means`);
  for (const field of Object.keys(fields))
    if (!used.has(field) && field !== fieldOfLostLines)
      throw new Error(`scripts/reference/log.ts: no line has the log field ${field}`);
  return page(
    'Log',
    'Each daemon writes one JSON object per line to standard output. `--log-level` sets the least severe level.',
    '## Fields of every line',
    table(
      ['field', 'meaning'],
      [
        [code('level'), '`debug`, `info`, `warn`, `error`'],
        [code('ts'), 'time, RFC 3339'],
        [
          code('component'),
          'in the log of a controller: `controller`, `page`; in the log of a speaker: `speaker`, `bgp`, `bfd`, `layer2`; in both: `log`, when lines of the log were lost',
        ],
        [code('msg'), 'the message; see below'],
      ],
    ),
    '## Other fields',
    table(
      ['field', 'meaning'],
      Object.entries(fields)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([field, meaning]) => [code(field), meaning]),
    ),
    '## Messages',
    '`…` stands for a part that varies.',
    ...parts.flatMap(([title, folders]) => {
      const rows = calls
        .filter(({ folder }) => folders.includes(folder))
        .flatMap(({ level, messages, fields: own }) =>
          messages.map((message) => [level, message, own.map(code).join(', ')]),
        );
      return rows.length === 0 ? [] : [`### ${title}`, table(['level', 'message', 'fields'], tidyRows(rows))];
    }),
  );
}

/** Sorts the rows and removes duplicates. */
function tidyRows(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const unique = new Map(rows.map((row) => [row.join('|'), row]));
  return [...unique.values()].sort(([, a = ''], [, b = '']) => (a < b ? -1 : 1));
}

function allLogCalls(): readonly Located[] {
  return globSync('src/**/*.ts', { cwd: root })
    .sort()
    .flatMap((file) =>
      logCalls(readFileSync(new URL(file, root), 'utf8')).map((call) => {
        if (call.messages.length === 0)
          throw new Error(`${file}:${call.line}: the message of a log line must be a string or a constant`);
        const [, folder = ''] = file.split('/');
        if (!parts.some(([, folders]) => folders.includes(folder)))
          throw new Error(`scripts/reference/log.ts: say which part of the program src/${folder} is`);
        return { ...call, folder };
      }),
    );
}
