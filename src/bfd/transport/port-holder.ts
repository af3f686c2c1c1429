/** Finds out through /proc which descriptors of this process are bound to a UDP port, and which other processes have a socket on it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Descriptors of this process that are bound to the port. */
export function openDescriptorsOnPort(port: number): number[] {
  const inodes = inodesOnPort(port);
  return descriptorsOf('self').flatMap(({ fd, inode }) => (inodes.has(inode) ? [fd] : []));
}

/**
 * Other processes with a socket on the port, for instance `bfdd (process 812)`. `another process` stands for a process that /proc does not show
 * to us, because it runs in another PID namespace, or whose descriptors we may not read.
 */
export function processesOnPort(port: number): string[] {
  const foreign = inodesOnPort(port);
  for (const { inode } of descriptorsOf('self')) foreign.delete(inode);
  if (foreign.size === 0) return [];
  const holders = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => descriptorsOf(pid).some(({ inode }) => foreign.has(inode)))
    .map((pid) => `${nameOf(pid)} (process ${pid})`);
  return holders.length > 0 ? holders : ['another process'];
}

/** Inodes of the sockets that are bound to the port, in this network namespace. */
function inodesOnPort(port: number): Set<string> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const table of ['/proc/net/udp', '/proc/net/udp6'])
    for (const line of readLines(table)) {
      // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
      const [, local = '', , , , , , , , inode] = line.trim().split(/\s+/);
      if (local.endsWith(wanted) && inode !== undefined) inodes.add(inode);
    }
  return inodes;
}

function descriptorsOf(pid: string): { readonly fd: number; readonly inode: string }[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = inodeOf(pid, fd);
      return inode === undefined ? [] : [{ fd: Number(fd), inode }];
    });
  } catch {
    // The process has ended, or belongs to another user.
    return [];
  }
}

function inodeOf(pid: string, fd: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

function nameOf(pid: string): string {
  return readLines(`/proc/${pid}/comm`)[0] ?? 'a process';
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
