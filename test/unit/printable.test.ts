import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printable } from '../../src/printable.ts';

describe('printable()', () => {
  test('replaces control, format and separator characters and lone surrogates', () => {
    const replaced = ['\u001b', '\u0085', '\u200b', '\u202e', '\u2028', '\u2029', '\u2066', '\ud800'];
    for (const character of replaced) assert.equal(printable(`a${character}b`, 9), 'a b');
    assert.equal(printable(' \u001b\n a\t', 9), 'a');
    assert.equal(printable('grüße 😀', 9), 'grüße 😀');
  });

  test('cuts long text, but never inside a surrogate pair, and marks the cut', () => {
    assert.equal(printable('abcdef', 6), 'abcdef');
    assert.equal(printable('abcdefg', 6), 'abcdef…');
    assert.equal(printable('😀😀😀', 2), '😀😀…');
    assert.equal(printable('x'.repeat(1_000_000), 3), 'xxx…');
  });

  test('measures the text without its surrounding white space and controls', () => {
    assert.equal(printable(`${'\0'.repeat(3000)}reason`, 6), 'reason');
    assert.equal(printable(`a${' '.repeat(3000)}b`, 6), 'a…');
    assert.equal(printable(`reason${'\0 '.repeat(3000)}`, 6), 'reason');
    assert.equal(printable('\u001b\u200b ', 6), '');
  });
});
