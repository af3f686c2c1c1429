import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../../scripts/target.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('Containerfile has the version and licence of package.json, and the user and entry point that `make image` sets', () => {
  const text = read('Containerfile');
  const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
  const [, ofFile] = /image\.version="(.+?)"/.exec(text) ?? [];
  assert.equal(ofFile, version);
  assert.ok(text.includes(`image.licenses="${license}"`));
  const program = read('scripts/image/main.ts');
  for (const [directive, setting] of [
    ['USER 65532:65532', "user: '65532:65532'"],
    ['ENTRYPOINT ["/usr/bin/bellman"]', "entrypoint: ['/usr/bin/bellman']"],
  ] as const) {
    assert.ok(text.includes(`\n${directive}\n`), directive);
    assert.ok(program.includes(setting), setting);
  }
});

test('Containerfile copies every file of the root folder that a build script names', () => {
  const copied = [...read('Containerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, files = '']) => files.split(' '),
  );
  const made = /^(dist|node_modules|\.cache|\.bundles-)/;
  const programs = [
    'scripts/build.ts',
    ...readdirSync(join(root, 'scripts/image')).map((file) => `scripts/image/${file}`),
  ];
  const wanted = programs.flatMap((file) =>
    [...read(file).matchAll(/join\(root, '([^']+)'/g)].map(([, path = '']) => path),
  );
  assert.ok(wanted.length > 5);
  for (const path of wanted.filter((path) => !made.test(path)))
    assert.ok(
      copied.some((copy) => path === copy || path.startsWith(`${copy}/`)),
      path,
    );
});
