/** The work of `bellman convert`: reads the objects, converts them, and prints the ConfigMap, the table and the faults. */
import { formatIp } from '../address/index.ts';
import type { AssignedAddress } from '../config/index.ts';
import {
  type Conversion,
  convert,
  formatFault,
  readObjects,
  type SourceFault,
  type SourceName,
  type SourceObject,
} from '../convert/index.ts';
import { printable } from '../printable.ts';
import { type Result, reasonOf } from '../result.ts';
import { counted } from './counted.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './status/table.ts';

export interface ConvertRequest {
  readonly from: SourceName | 'auto';
  /** Names of files; `-` for standard input. When there are none, the objects come from the cluster. */
  readonly files: readonly string[];
  readonly strict: boolean;
  readonly usesCluster: boolean;
}

/** Objects and addresses read from a cluster. */
export interface ClusterState {
  readonly objects: readonly SourceObject[];
  /** Addresses of all Services of type LoadBalancer. */
  readonly assigned: readonly AssignedAddress[];
}

export interface ConvertIo {
  /** All of standard input. */
  readonly stdin: () => Promise<string>;
  readonly readFile: (path: string) => Promise<string>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Reads the addresses in use and, when `from` is given, the objects of this source. Rejects when the API server does not answer. */
  readonly readCluster: (wanted: { readonly from?: SourceName | 'auto' }) => Promise<ClusterState>;
}

/** Largest number of faults and addresses that are printed one by one. */
const maxPrinted = 100;
const maxLineCharacters = 2000;

/** Converts and prints. Standard output gets either the whole ConfigMap or nothing. Returns the exit code. */
export async function runConvert(request: ConvertRequest, io: ConvertIo): Promise<0 | 1 | 2> {
  const { from, files, strict, usesCluster } = request;
  if (files.length === 0 && !usesCluster) {
    io.stderr(
      'bellman: there is nothing to convert; give files with --file, or a cluster with --kubeconfig\n',
    );
    return exitCodes.failed;
  }
  if (files.filter((file) => file === '-').length > 1) {
    io.stderr('bellman: standard input can be read only once; give - only once\n');
    return exitCodes.failed;
  }
  const fromFiles = await readFiles(files, io);
  if (!fromFiles.ok) return printFaults(fromFiles.error, io);
  const cluster = usesCluster ? await io.readCluster(files.length === 0 ? { from } : {}) : undefined;
  const objects = [...fromFiles.value, ...(cluster?.objects ?? [])];
  const result = convert(objects, { from, assigned: cluster?.assigned ?? [] });
  if (!result.ok) return printFaults(result.error, io);
  const conversion = result.value;
  const lost = conversion.rows.filter(({ outcome }) => outcome === 'not carried').length;
  const isRefused = strict && lost > 0;
  if (!isRefused) io.stdout(conversion.manifest);
  io.stderr(`${reportOn(conversion, cluster)}\n`);
  if (isRefused)
    io.stderr(
      `bellman: ${counted(lost, 'field')} not carried, and --strict is given: no ConfigMap is printed\n`,
    );
  return isRefused || conversion.orphans.length > 0 ? exitCodes.negative : exitCodes.success;
}

async function readFiles(
  files: readonly string[],
  io: ConvertIo,
): Promise<Result<SourceObject[], SourceFault[]>> {
  const objects: SourceObject[] = [];
  const faults: SourceFault[] = [];
  for (const file of files) {
    try {
      const text = await (file === '-' ? io.stdin() : io.readFile(file));
      const read = readObjects(file === '-' ? '<stdin>' : file, text);
      if (read.ok) objects.push(...read.value);
      else faults.push(...read.error);
    } catch (error) {
      faults.push({
        object: '',
        field: '',
        message: `cannot read ${file}: ${reasonOf(error)}`,
      });
    }
  }
  return faults.length > 0 ? { ok: false, error: faults } : { ok: true, value: objects };
}

function printFaults(faults: readonly SourceFault[], io: ConvertIo): 2 {
  for (const fault of faults.slice(0, maxPrinted)) io.stderr(`bellman: ${line(formatFault(fault))}\n`);
  if (faults.length > maxPrinted) io.stderr(`bellman: and ${faults.length - maxPrinted} more faults\n`);
  return exitCodes.failed;
}

function reportOn({ source, config, rows, orphans }: Conversion, cluster: ClusterState | undefined): string {
  const table = formatTable(
    ['object', 'field', 'result', 'detail'],
    rows.map(({ object, field, outcome, detail }) => [object, field, outcome, detail].map(line)),
  );
  const count = (outcome: string) => rows.filter((row) => row.outcome === outcome).length;
  const summary = [
    `${source.title}: ${counted(config.peers.length, 'peer')}, ${counted(config.pools.length, 'pool')}`,
    `${counted(rows.length, 'field')}: ${count('carried')} carried, ${count('changed')} changed, ${count('not carried')} not carried`,
  ];
  if (cluster) {
    const kept = cluster.assigned.length - orphans.length;
    summary.push(
      `${counted(cluster.assigned.length, 'address', 'es')} in use: ${kept} in a converted pool, ${orphans.length} in none`,
    );
    for (const { service, address } of orphans.slice(0, maxPrinted))
      summary.push(
        `no converted pool holds ${formatIp(address)} of Service ${service}; add its range to a pool`,
      );
    if (orphans.length > maxPrinted) summary.push(`and ${orphans.length - maxPrinted} more addresses`);
  }
  return [...(rows.length > 0 ? [table, ''] : []), ...summary.map(line)].join('\n');
}

function line(text: string): string {
  return printable(text, maxLineCharacters);
}
