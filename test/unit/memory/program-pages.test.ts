import assert from 'node:assert/strict';
import test from 'node:test';
import { programPages } from '../../../src/memory/program-pages.ts';

const program = '/opt/bellman/bin/node';

interface Mapping {
  readonly permissions?: string;
  readonly path?: string;
  readonly anonymousKb?: number;
  readonly swapKb?: number;
}

function mapping({ permissions = 'r-xp', path = program, anonymousKb = 0, swapKb = 0 }: Mapping): string {
  return `00748000-03031000 ${permissions} 00348000 fe:00 5619773                            ${path}
Size:              41892 kB
Rss:               20676 kB
Pss:               20676 kB
Anonymous:      ${String(anonymousKb).padStart(8)} kB
LazyFree:              0 kB
Swap:           ${String(swapKb).padStart(8)} kB
SwapPss:               0 kB
VmFlags: rd ex mr mw me dw sd
`;
}

const range = { start: 0x748000, end: 0x3031000 };

test('programPages names the mappings with code and constants of the program', () => {
  const stack =
    '7fff-8000 rw-p 00000000 00:00 0                          [stack]\nRss: 4 kB\nAnonymous: 4 kB\n';
  assert.deepEqual(programPages(stack + mapping({}) + stack + mapping({ permissions: 'r--p' }), program), [
    range,
    range,
  ]);
});

for (const [name, other] of Object.entries({
  'that the process may write to': { permissions: 'rw-p' },
  'of another file': { path: '/usr/lib/libc.so.6' },
  'of a file whose name only begins like that of the program': { path: `${program}-old` },
  'of no file': { path: '' },
  'with relocated data': { anonymousKb: 8 },
  'with relocated data in swap space': { swapKb: 4 },
} satisfies Record<string, Mapping>))
  test(`programPages leaves out a mapping ${name}`, () => {
    assert.deepEqual(programPages(mapping(other), program), []);
  });

test('programPages leaves out a mapping about which the kernel does not say enough', () => {
  assert.deepEqual(programPages(mapping({}).replace(/^Swap:.*\n/m, ''), program), []);
  assert.deepEqual(programPages('', program), []);
});
