import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { anchors, pages, prose, read, root } from './pages.ts';

const exists = (path: string) => existsSync(new URL(path, root));

for (const page of pages)
  test(`${page} links only to files and headings that exist`, () => {
    for (const [, target = ''] of prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      assert.ok(exists(file), `${target}: no such file`);
      if (anchor !== undefined) assert.ok(anchors(read(file)).has(anchor), `${target}: no such heading`);
    }
  });

test('every page except CHANGELOG.md can be reached from README.md through links', () => {
  const reached = new Set(['README.md']);
  for (const page of reached)
    for (const [, target = ''] of prose(read(page)).matchAll(/\]\(([^)\s#]+\.md)[^)]*\)/g))
      if (!/^https?:/.test(target)) reached.add(join(dirname(page), target));
  assert.deepEqual(
    pages.filter((page) => page !== 'CHANGELOG.md' && !reached.has(page)),
    [],
  );
});

test('code names only pages that exist', () => {
  const sources = globSync(
    [
      'src/**/*.ts',
      'test/**/*.ts',
      'lab/**/*',
      'bench/**/*.ts',
      'scripts/**/*',
      'config/*',
      'manifests/**/*',
      'Makefile',
    ],
    { cwd: root },
  ).filter((path) => /\.(ts|sh|yaml)$|Makefile$/.test(path));
  for (const source of sources)
    for (const [page] of read(source).matchAll(/docs\/[a-z0-9/-]+\.md/g))
      assert.ok(exists(page), `${source} names ${page}, which does not exist`);
});
