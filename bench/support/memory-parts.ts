/** The parts of the memory of a process, from /proc/PID/smaps and V8's statistics. */
import { existsSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The variables that a process needs so that `memoryPartsOf` can read V8's statistics. */
export function probedEnvironment(folder: string): Readonly<Record<string, string>> {
  const probe = fileURLToPath(new URL('heap-probe.cjs', import.meta.url));
  return { NODE_OPTIONS: `--require=${probe}`, BELLMAN_HEAP_PROBE: folder };
}

/** Megabytes of proportional set size by part. The parts add up to the process's PSS. */
export type MemoryParts = Readonly<Record<MemoryPart, number>>;

export const memoryParts = [
  'Node binary: code and constants, shared',
  'Node binary: own data',
  'libraries and addons',
  'C heap: OpenSSL, HTTP, compiled code, compilers',
  'stacks',
  'ring of captured frames',
  'machine code of V8',
  'V8 heap: live',
  'V8 heap: garbage and slack',
  'other anonymous memory: buffers, tables of V8',
] as const;
type MemoryPart = (typeof memoryParts)[number];

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly permissions: string;
  readonly path: string;
  readonly pss: number;
  readonly anonymous: number;
}

interface HeapStatistics {
  readonly heap: { readonly total_physical_size: number; readonly used_heap_size: number };
  readonly spaces: readonly { readonly space_name: string; readonly physical_space_size: number }[];
}

const kilobyte = 1024;
const megabyte = 1e6;
const probePollMs = 20;
const probePatienceMs = 60_000;
/** glibc's default size of a stack, and the size that Node gives to its threads. */
const stackSizes = new Set([8192 * kilobyte, 4096 * kilobyte]);

/**
 * Reads the parts of a process that was started with `probedEnvironment(folder)`. The call makes the process collect its garbage, so call `usageOf`
 * first.
 */
export async function memoryPartsOf(pid: number, folder: string): Promise<MemoryParts> {
  const mappings = parseSmaps(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
  const executable = readlinkSync(`/proc/${pid}/exe`);
  const { before, after } = await heapStatisticsOf(pid, folder);
  const parts = Object.fromEntries(memoryParts.map((part) => [part, 0])) as Record<MemoryPart, number>;
  let anonymous = 0;
  for (const [index, mapping] of mappings.entries()) {
    const { path, permissions, pss } = mapping;
    if (path === executable) {
      parts['Node binary: own data'] += mapping.anonymous;
      parts['Node binary: code and constants, shared'] += pss - mapping.anonymous;
    } else if (path === '' && mappings[index - 1]?.path === executable) parts['Node binary: own data'] += pss;
    else if (path.startsWith('/') || path.startsWith('[v')) parts['libraries and addons'] += pss;
    else if (path.startsWith('socket:')) parts['ring of captured frames'] += pss;
    else if (path === '[heap]') parts['C heap: OpenSSL, HTTP, compiled code, compilers'] += pss;
    else if (path === '[stack]' || isThreadStack(mapping, mappings[index - 1])) parts.stacks += pss;
    else if (permissions.includes('x')) parts['machine code of V8'] += pss;
    else anonymous += pss;
  }
  // Machine code lies in mappings of its own. The rest of V8's heap is somewhere in the anonymous memory.
  const code = before.spaces.filter(({ space_name: name }) => name.startsWith('code'));
  const heap =
    before.heap.total_physical_size - code.reduce((sum, space) => sum + space.physical_space_size, 0);
  const live = Math.min(after.heap.used_heap_size, heap);
  parts['V8 heap: live'] = live;
  parts['V8 heap: garbage and slack'] = heap - live;
  parts['other anonymous memory: buffers, tables of V8'] = anonymous - heap;
  for (const part of memoryParts) parts[part] /= megabyte;
  return parts;
}

function isThreadStack({ start, end, permissions }: Mapping, before: Mapping | undefined): boolean {
  return stackSizes.has(end - start) && permissions === 'rw-p' && before?.permissions === '---p';
}

async function heapStatisticsOf(
  pid: number,
  folder: string,
): Promise<{ readonly before: HeapStatistics; readonly after: HeapStatistics }> {
  const file = join(folder, `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (const endMs = performance.now() + probePatienceMs; !existsSync(file); await pause(probePollMs))
    if (performance.now() > endMs) throw new Error(`process ${pid} wrote no ${file}`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Parses /proc/PID/smaps (proc_pid_smaps(5)). Sizes are in octets. */
function parseSmaps(text: string): Mapping[] {
  return text
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((block) => block !== '')
    .map((block) => {
      const [header = ''] = block.split('\n', 1);
      const [range = '', permissions = '', , , , path = ''] = header.split(/ +/);
      const [start = 0, end = 0] = range.split('-').map((text) => Number.parseInt(text, 16));
      const sizeOf = (field: string) =>
        Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(block)?.[1] ?? 0) * kilobyte;
      return { start, end, permissions, path, pss: sizeOf('Pss'), anonymous: sizeOf('Anonymous') };
    });
}
