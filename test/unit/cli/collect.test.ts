import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { redactConfig, scrubber, secretsOf } from '../../../src/cli/collect/redact.ts';
import { tarEnd, tarEntry } from '../../../src/cli/collect/tar.ts';

describe('redactConfig()', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['peers:\n- password: planted\n  my-asn: 1\n', 'peers:\n- password: <redacted>\n  my-asn: 1\n'],
    ['- {name: a, password: planted, my-asn: 1}', '- {name: a, password: <redacted>, my-asn: 1}'],
    ['- {name: a, password: "plan, ted}", my-asn: 1}', '- {name: a, password: <redacted>, my-asn: 1}'],
    ["- {password: 'plan''ted', my-asn: 1}", '- {password: <redacted>, my-asn: 1}'],
    ['{"password": "plan\\"ted", "a": 1}', '{"password": <redacted>, "a": 1}'],
    ['- password: plan, ted}\n', '- password: <redacted>\n'],
    ['- password: |\n    planted\n    planted\n  my-asn: 1\n', '- password: <redacted>\n  my-asn: 1\n'],
    ['- password: "planted\n', '- password: <redacted>\n'],
    ['- {password: planted', '- {password: <redacted>'],
    ['PASSWORD:planted: x\nPassword:   planted', 'PASSWORD:<redacted>\nPassword:   <redacted>'],
    ['- password-secret: {name: kept, key: kept}\n', '- password-secret: {name: kept, key: kept}\n'],
    ['- password:\n', '- password:\n'],
    ['- password:\n    planted\n  my-asn: 1\n', '- password:<redacted>\n  my-asn: 1\n'],
    [
      '- password: plan\n    planted: x\n\n    planted\n  my-asn: 1\n',
      '- password: <redacted>\n  my-asn: 1\n',
    ],
    ['- {password: plan\n    planted, my-asn: 1}\n', '- {password: <redacted>, my-asn: 1}\n'],
    ['- password: "plan\n    planted\n  my-asn: 1\n', '- password: <redacted>\n  my-asn: 1\n'],
  ];
  for (const [text, expected] of rows)
    test(`of ${JSON.stringify(text)}`, () => {
      assert.equal(redactConfig(text), expected);
      assert.doesNotMatch(redactConfig(text), /plan/);
    });
});

test('scrubber() removes the secrets of a configuration wherever they appear', () => {
  const long = `planted-${'x'.repeat(90)}`;
  const secrets = secretsOf(`
peers:
- {name: a, password: planted-1}
- {name: b, password: 'planted "2"'}
- name: c
  password: |
    planted line
    another planted
- {name: d, password: ${long}}
- {name: e, password: abc}
`);
  const scrub = scrubber(secrets);
  const text = `x planted-1 y, "planted \\"2\\"" planted line; another planted ${long.slice(0, 62)}… abc`;
  assert.doesNotMatch(scrub(text), /planted/);
  // Messages cut long values, and quote those with special characters.
  for (const length of [63, 64])
    for (const special of ['"', '\\', '\n'])
      assert.equal(
        scrubber([`planted${special}${'y'.repeat(90)}`])(
          `not ${JSON.stringify(`planted${special}${'y'.repeat(90)}`.slice(0, length))}`,
        ),
        'not "<redacted>"',
      );
  const message = JSON.stringify({ message: `not ${JSON.stringify('planted "2"')}` });
  assert.doesNotMatch(scrub(message), /planted/);
  // A short value stays, because many words may contain it.
  assert.match(scrub(text), /abc/);
  assert.deepEqual(secretsOf('a: {b'), []);
});

test('tarEntry() writes what tar reads', () => {
  const contents = ['', 'one\n', 'x'.repeat(512), 'y'.repeat(513)];
  const entries = contents.map((text, i) => tarEntry(`bellman/${i}.txt`, Buffer.from(text), 1_700_000_000));
  const archive = Buffer.concat([...entries, tarEnd]);
  const list = execFileSync('tar', ['--utc', '-tvf', '-'], { input: archive, encoding: 'utf8' });
  assert.match(list, /^-rw------- 0\/0 +513 2023-11-14 22:13 bellman\/3\.txt$/m);
  for (const [i, text] of contents.entries())
    assert.equal(
      execFileSync('tar', ['-xOf', '-', `bellman/${i}.txt`], { input: archive, encoding: 'utf8' }),
      text,
    );
});
