import koffi from 'koffi';

const library = koffi.load('libc.so.6');
const clockGettime = library.func('int clock_gettime(int clock, _Out_ int64_t *time)');
/** `CLOCK_THREAD_CPUTIME_ID` in `<time.h>`. */
const threadCpuTime = 3;
/** `struct timespec` (clock_gettime(2)): seconds and nanoseconds, eight octets each. */
const time = new BigInt64Array(2);

/** CPU time of this thread, in microseconds. `process.threadCpuUsage` may advance in steps of milliseconds. */
export function threadMicroseconds(): number {
  if (clockGettime(threadCpuTime, time) !== 0) throw new Error('clock_gettime failed');
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1e6 + Number(nanoseconds) / 1000;
}
