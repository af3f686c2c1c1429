/** Checks the form of comments and pages. Only a reader can check their content. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { pages, read, root } from './pages.ts';

/** The linter formats code to 110 columns, but it leaves comments and pages as they are. */
const maxColumns = 150;

const programs = globSync(['{src,test,lab,bench,scripts}/**/*.{ts,go}', 'src/page/browser/*.js', 'bin/*'], {
  cwd: root,
});

/** The start of a comment whose subject is one of these words. A noun is shorter: "the fault of the key" instead of "what is wrong with the key". */
const vagueSubject = /(?:\/(?:\/|\*\*)|^#)(?:\s*\n\s*\*)?\s+(?:What|Who|Nobody|Anybody)\b/gm;

/** The places of the matches, as `file:line`. */
function placesOf(file: string, text: string, pattern: RegExp): readonly string[] {
  return Array.from(
    text.matchAll(pattern),
    ({ index }) => `${file}:${text.slice(0, index).split('\n').length}`,
  );
}

test('no comment begins with What, Who, Nobody or Anybody', () => {
  assert.deepEqual(placesOf('', '/**\n * What is wrong with the key.\n', vagueSubject), [':1']);
  const found = programs.flatMap((file) => placesOf(file, read(file), vagueSubject));
  assert.deepEqual(found, []);
});

test(`no line of a comment is longer than ${maxColumns} columns`, () => {
  const longLine = new RegExp(`^(?=[ \\t]*(?://|/?\\*|# )).{${maxColumns + 1}}`, 'gm');
  const found = programs.flatMap((file) => placesOf(file, read(file), longLine));
  assert.deepEqual(found, []);
});

test(`no line of a page outside tables and code blocks is longer than ${maxColumns} columns`, () => {
  const longLine = new RegExp(`^(?! *\\|).{${maxColumns + 1}}`, 'gm');
  const code = /^ *```[\s\S]*?^ *```/gm;
  const withoutCode = (page: string) => page.replace(code, (block) => block.replaceAll(/.+/g, ''));
  const found = pages.flatMap((file) => placesOf(file, withoutCode(read(file)), longLine));
  assert.deepEqual(found, []);
});
