import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { bundleFiles } from '../../../src/cli/collect/bundle.ts';
import { redactConfig, scrubber, secretsOf } from '../../../src/cli/collect/redact.ts';
import { tarEnd, tarEntry } from '../../../src/cli/collect/tar.ts';
import { systemClock } from '../../../src/clock.ts';
import { kubeconfigFor } from '../../support/kubeconfig.ts';

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
    ['- {password: &pw "plan, ted", a: 1}', '- {password: <redacted>, a: 1}'],
    ["- {password: !!str 'plan, ted', a: 1}", '- {password: <redacted>, a: 1}'],
    ['- {password: !<tag:yaml.org,2002:str> &pw "plan, ted", a: 1}', '- {password: <redacted>, a: 1}'],
    ['- {password: &pw\n    "plan, ted", a: 1}', '- {password: <redacted>, a: 1}'],
    ['- {password: &pw !!str planted, a: 1}', '- {password: <redacted>, a: 1}'],
    ['- {password:\n    "plan, ted", a: 1}', '- {password:<redacted>, a: 1}'],
    ['- password: &pw "plan\n  planted"\n  a: 1\n', '- password: <redacted>\n  a: 1\n'],
    ['- {password: # plan, ted\n    "plan, ted", a: 1}', '- {password: <redacted>, a: 1}'],
    ['- password:\n  "a": 1\n', '- password:\n  "a": 1\n'],
    ['- {a: 1,\n   password: "plan, ted", b: 1}', '- {a: 1,\n   password: <redacted>, b: 1}'],
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

const folder = mkdtempSync(join(tmpdir(), 'bellman-collect-'));
after(() => rmSync(folder, { recursive: true }));

test('bundleFiles() reads only the events of Bellman, and says which are cut off and which speaker is missing', async () => {
  const event = (name: string, reportingComponent: string) => ({ metadata: { name }, reportingComponent });
  const node = {
    metadata: { name: 'node-1' },
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
  };
  const server = createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://server');
    const answer = (body: unknown) => response.end(typeof body === 'string' ? body : JSON.stringify(body));
    if (pathname === '/api/v1/nodes') return answer({ items: [node] });
    if (pathname === '/api/v1/services') return answer({ items: [] });
    if (pathname === '/api/v1/namespaces/bellman-system/pods') return answer({ items: [] });
    if (pathname !== '/api/v1/events') return response.writeHead(404).end('{}');
    const [, component = 'other'] =
      /^reportingComponent=(.+)$/.exec(searchParams.get('fieldSelector') ?? '') ?? [];
    const rest = component === 'bellman-speaker' ? { continue: 'more' } : {};
    return answer({
      metadata: rest,
      items: [event(`of-${component}`, component), event('stray', 'kubelet')],
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
  const source = { kubeconfig, namespace: 'bellman-system', speakerPort: port, controllerPort: port };
  const found = new Map<string, string>();
  try {
    for await (const { name, text } of bundleFiles({ ...source, clock: systemClock }, 'test'))
      found.set(name, text);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  const events = JSON.parse(found.get('kubernetes/events.json') ?? '') as readonly ReturnType<typeof event>[];
  assert.deepEqual(
    events.map(({ metadata }) => metadata.name),
    ['of-bellman-controller', 'of-bellman-speaker'],
  );
  const readme = found.get('README.txt') ?? '';
  assert.match(readme, /^- the speaker of node node-1: HTTP status 404/m);
  assert.match(readme, /^- the events of bellman-speaker beyond the first 5000$/m);
  assert.doesNotMatch(readme, /the events of bellman-controller|the metrics of/);
});
