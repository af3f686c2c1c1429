import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Whether a speaker has run on this node since it booted: then the node's forwarding state has survived, which is what peers that
 * support graceful restart ask (RFC 4724 section 3, the F bit). Leaves its own mark. Where the directory cannot be written the
 * answer is no, which costs a withdrawal and never a black hole.
 */
export function markRestart(directory: string, nodeName: string): boolean {
  const path = join(directory, `${nodeName}.boot-id`);
  try {
    const bootId = readFileSync(bootIdPath, 'utf8');
    mkdirSync(directory, { recursive: true });
    let isRestart = false;
    try {
      isRestart = readFileSync(path, 'utf8') === bootId;
    } catch {
      // No speaker has been here before.
    }
    if (!isRestart) writeFileSync(path, bootId);
    return isRestart;
  } catch {
    return false;
  }
}
