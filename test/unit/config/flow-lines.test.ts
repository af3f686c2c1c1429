import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinFlowLines } from '../../../src/config/text/flow-lines.ts';

/** Name, text and joined text. A dot in the joined text stands for a space that replaces a line break or a comment. */
const joined: readonly (readonly [string, string, string])[] = [
  ['a collection that closes at the column of its key', 'a: [\n  b\n]\n', 'a: [\n  b.]\n'],
  ['a collection in braces inside a list', '- a: {\n  b: 1\n  }\n', '- a: {.  b: 1.  }\n'],
  ['a collection with a comment before its last bracket', 'a: [b # c\n]\n', 'a: [b ....]\n'],
  ['a collection with blank lines and comments', 'a: [\n\n# b\n]\n', 'a: [......]\n'],
  ['a collection with brackets inside quotes', `a: ["]", ']'\n]\n`, `a: ["]", ']'.]\n`],
  ['nested collections', 'a: [[b],\n[c]\n]\n', 'a: [[b],.[c].]\n'],
  ['a collection with CRLF', 'a: [\r\n  b,\r\n\r\n]\r\n', 'a: [\r\n  b,....]\r\n'],
  ['a collection with CRLF and a comment', 'a: [b # c\r\n]\r\n', 'a: [b .....]\r\n'],
  [
    'a collection after a block scalar inside a list',
    '- |\n  b: [\n- c: [\n  ]\n',
    '- |\n  b: [\n- c: [.  ]\n',
  ],
];
for (const [name, text, expected] of joined)
  test(`joinFlowLines() joins the lines of ${name}`, () => {
    const result = joinFlowLines(text);
    assert.equal(result, expected.replaceAll('.', ' '));
    assert.equal(result?.length, text.length, 'offsets stay valid');
  });

const unchanged: readonly (readonly [string, string])[] = [
  ['an indented collection', 'a: [\n  b,\n  c]\n'],
  ['a collection on one line', 'a: [b]\nc: {d: 1}\n'],
  ['a block scalar', 'a: |\n  b: [\n  ]\nc: 1\n'],
  ['a block scalar inside a list', '- |\n  b: [\n  ]\n- |\n    c: [\n  ]\n- - |\n   d: [\n   ]\n- e\n'],
  ['a block scalar after a key inside a list', '- a: |\n   b: [\n   ]\n  c: 1\n'],
  ['a block scalar with CRLF and a comment', 'a: | # b\r\n  c: [\r\n  ]\r\nd: 1\r\n'],
  ['a bracket in an unquoted value', 'a: b[\nc: 1\n'],
  ['a bracket in a comment', '# a: [\nb: 1\n'],
  ['a bracket that is never closed', 'a: [\nb: 1\n'],
  ['a quote that is never closed', 'a: ["\n]\n'],
];
for (const [name, text] of unchanged)
  test(`joinFlowLines() leaves ${name} alone`, () => assert.equal(joinFlowLines(text), undefined));
