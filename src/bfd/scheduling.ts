import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { limitRealtimeCpu, SystemError, scheduleFifo } from '../linux/libc.ts';
import { reasonOf } from '../result.ts';
import type { BfdProcessStatus } from './messages.ts';

export type Scheduling = Pick<BfdProcessStatus, 'scheduling' | 'schedulingFault'>;

/** Above every normal process, and below the kernel's own threads that handle interrupts, whose priority is 50. */
const priority = 10;
/**
 * The kernel ends the process when it computes for this long without a pause. The process waits between packets, and pauses during a flood, so
 * only an endless loop reaches this limit. In a real-time thread, such a loop would take a whole core from the node.
 */
const spinLimitMicroseconds = 1_000_000;
const highestNice = -20;
const CAP_SYS_NICE = 23;

/** Asks for the best scheduling that the node permits: SCHED_FIFO, else the highest normal priority. */
export function scheduleBeforeOthers(): Scheduling {
  try {
    limitRealtimeCpu(spinLimitMicroseconds);
    scheduleFifo(priority);
    return { scheduling: 'fifo' };
  } catch (error) {
    return { scheduling: raisePriority() ? 'nice' : 'normal', schedulingFault: faultOf(error) };
  }
}

function raisePriority(): boolean {
  try {
    setPriority(highestNice);
    return true;
  } catch {
    return false;
  }
}

function faultOf(error: unknown): string {
  if (!(error instanceof SystemError) || error.code !== 'EPERM')
    return `real-time scheduling failed: ${reasonOf(error)}`;
  if (!hasCapability()) return 'real-time scheduling needs the capability SYS_NICE';
  return 'the kernel gives the control group no real-time budget (cpu.rt_runtime_us is 0)';
}

/** Whether the process has CAP_SYS_NICE in the initial user namespace. In any other user namespace, the kernel refuses SCHED_FIFO. */
function hasCapability(): boolean {
  try {
    const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    const isInitialNamespace = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
    return isInitialNamespace && ((BigInt(`0x${capabilities ?? '0'}`) >> BigInt(CAP_SYS_NICE)) & 1n) === 1n;
  } catch {
    return false;
  }
}
