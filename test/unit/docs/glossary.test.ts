/** Checks code, tests, manifests and pages against `docs/glossary.md`: a word of its column "not" appears only where the glossary allows it. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { forbiddenWords, usesOf } from './glossary.ts';
import { read, root } from './pages.ts';

const files = [
  'README.md',
  'CONTRIBUTING.md',
  'Makefile',
  'lab/enter',
  'lab/world',
  ...globSync(
    [
      '{src,test,lab,bench,scripts}/**/*.{ts,go,sh,yaml,txt}',
      'src/page/browser/*.js',
      'bin/*',
      '{config,manifests}/**/*.yaml',
      'docs/**/*.md',
      'lint/*',
    ],
    { cwd: root },
  ),
].filter((file) => file !== 'docs/glossary.md' && !file.startsWith('test/unit/docs/glossary'));

const texts = files.map((file) => [file, read(file)] as const);

for (const word of forbiddenWords(read('docs/glossary.md')))
  test(`${word.text} is used only where the glossary allows it`, () => {
    const uses = texts
      .filter(([file]) => !word.allowedIn.some((folder) => file.startsWith(folder)))
      .flatMap(([file, text]) => usesOf(word.text, text).map((line) => `${file}:${line}`));
    assert.deepEqual(uses, []);
  });

test('a word in small letters is found in prose and in parts of identifiers', () => {
  const text = 'const doubtDeaths = 1;\n// Doubt it.\nundoubted\nnoDoubt';
  assert.deepEqual(usesOf('doubt', text), [1, 2, 4]);
  assert.deepEqual(usesOf('ever more', 'It is ever\n * more rare.\never more'), [1, 3]);
});

test('a word with capitals or `#` is found as a whole identifier only', () => {
  assert.deepEqual(usesOf('Term', 'term\nLeaderTerm\nnew Term()\nTerms'), [3]);
  assert.deepEqual(usesOf('#look', 'look\nthis.#look()\n#looked'), [2]);
});

test('the glossary can allow a word in a folder', () => {
  const page =
    '| word | meaning | not |\n|---|---|---|\n| a | b | `x` (allowed in `src/a/` and `test/b/`) `y` |\n';
  assert.deepEqual(forbiddenWords(page), [
    { text: 'x', allowedIn: ['src/a/', 'test/b/'] },
    { text: 'y', allowedIn: [] },
  ]);
});
