/**
 * Two calls that give memory of the process back to the kernel. They have a file of their own, so that a process that needs no other C function
 * does not bind all functions of `libc.ts`. `keeper.ts` loads this file when the process first gives memory back.
 */
import koffi from 'koffi';

const library = koffi.load('libc.so.6');
const mallocTrim = library.func('int malloc_trim(size_t pad)');
const madvise = library.func('int madvise(uintptr_t address, size_t length, int advice)');

const MADV_DONTNEED = 4;

/** Gives free pages of the C heap back. The C library otherwise gives only the end of the heap back (malloc_trim(3)). */
export function trimHeap(): void {
  mallocTrim(0);
}

/**
 * Takes the pages out of the process, from address `start` up to but not including `end` (madvise(2), MADV_DONTNEED). The process reads a
 * page of a file again when it next uses the page. The content of all other pages is lost, so the caller must be sure that the range holds
 * only unchanged pages of a file. Ignores a failure.
 */
export function dropPages(start: number, end: number): void {
  madvise(start, end - start, MADV_DONTNEED);
}
