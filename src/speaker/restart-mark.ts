import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Returns whether a speaker has already run on this node since the node booted, and leaves a mark for the next speaker. If a speaker has
 * already run, the node's forwarding state has survived the restart, and the speaker sets the Forwarding State bit of graceful restart (RFC
 * 4724, section 3). If the mark cannot be written, returns false. Peers may then drop routes that the node could still serve, but they
 * never keep routes that it cannot serve.
 */
export function markRestart(directory: string, nodeName: string): boolean {
  const path = join(directory, `${nodeName}.boot-id`);
  try {
    const bootId = readFileSync(bootIdPath, 'utf8');
    mkdirSync(directory, { recursive: true });
    const isRestart = readMark(path) === bootId;
    if (!isRestart) writeFileSync(path, bootId);
    return isRestart;
  } catch {
    return false;
  }
}

function readMark(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The first speaker on this node finds no mark.
    return undefined;
  }
}
