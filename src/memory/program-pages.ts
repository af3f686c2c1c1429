/** Part of the address space, from `start` up to but not including `end`. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The mappings of the program's file that hold only pages of that file, from the text of /proc/self/smaps (proc_pid_smaps(5)). A read-only
 * mapping may hold other pages too: the dynamic linker writes relocations to a mapping before it makes the mapping read-only. The kernel counts
 * such pages as anonymous, or as swapped when it has moved them to swap space.
 *
 *     06b35000-06b39000 r--p 06734000 fe:00 5619773        /opt/bellman/bin/node
 *     Rss:                  16 kB
 *     Anonymous:             8 kB
 *     Swap:                  0 kB
 */
export function programPages(smaps: string, program: string): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, start, end, permissions, path] =
      /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ +(.+)$/m.exec(mapping) ?? [];
    if (start === undefined || end === undefined || path !== program || permissions?.[1] === 'w') continue;
    const isOfFile = ['Anonymous', 'Swap'].every((field) =>
      new RegExp(`^${field}: +0 kB$`, 'm').test(mapping),
    );
    if (isOfFile) ranges.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) });
  }
  return ranges;
}
