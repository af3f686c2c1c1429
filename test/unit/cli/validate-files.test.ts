import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import { runValidate } from '../../../src/cli/validate-files.ts';
import type { AssignedAddress } from '../../../src/config/index.ts';

const good = 'address-pools:\n- {name: a, protocol: bgp, addresses: [192.0.2.0/24]}\n';
const bad = 'address-pools:\n- {name: a, protocol: bgp, addresses: [192.0.2.0/33]}\n';
const manifest = `apiVersion: v1
kind: Namespace
metadata: {name: bellman-system}
---
# the configuration
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: bellman-system}
data:
  other: x
  config: |

    peers:
    - my-asn: 64512
      peer-asn: 0
      peer-address: 10.0.0.1
    address-pools: none
`;

const files: Readonly<Record<string, string>> = {
  'good.yaml': good,
  'bad.yaml': bad,
  'warned.yaml': good.replace('192.0.2.0', '192.0.2.9'),
  'empty.yaml': '',
  'broken.yaml': 'peers: [\n',
  'manifest.yaml': manifest,
  'manifest-crlf.yaml': manifest.replaceAll('\n', '\r\n'),
  'quoted.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata:\n  config: "peers:\\n- 1\\n"\n',
  'folded.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata:\n  config: >\n    peers:\n\n    - 1\n`,
  'list.yaml': `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: config}\n  data:\n    config: |\n      peers: 1\n`,
  'foreign.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: config}\nspec: {}\n',
  'other-key.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {settings: x}\n',
  'two.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-another-program}\ndata:\n  config: hello\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata:\n  config: |\n    peers: []\n`,
};

async function validate(
  names: readonly string[],
  options: { stdin?: string; assigned?: AssignedAddress[] } = {},
) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runValidate(names, {
    stdin: () => Promise.resolve(options.stdin ?? ''),
    readFile: (name) => {
      const text = files[name];
      return text === undefined ? Promise.reject(new Error('no such file')) : Promise.resolve(text);
    },
    stdout: (text) => out.push(text),
    stderr: (text) => err.push(text),
    ...(options.assigned ? { assigned: options.assigned } : {}),
  });
  return { code, out: out.join(''), err: err.join('') };
}

const rows: readonly (readonly [string, readonly string[], 0 | 1 | 2, string])[] = [
  ['a valid file', ['good.yaml'], 0, 'good.yaml: valid: 0 peers, 1 pool\n'],
  [
    'a valid file with a warning',
    ['warned.yaml'],
    0,
    'warned.yaml:2:40: warning: address-pools[0].addresses[0]: 192.0.2.9/24 has host bits set and is read as 192.0.2.0/24; for the address alone, write 192.0.2.9/32\n' +
      'warned.yaml: valid: 0 peers, 1 pool\n',
  ],
  [
    'an empty file',
    ['empty.yaml'],
    1,
    'empty.yaml:1:1: the file is empty; expected a configuration or manifests with its ConfigMap\n',
  ],
  [
    'empty standard input',
    ['-'],
    1,
    '<stdin>:1:1: the file is empty; expected a configuration or manifests with its ConfigMap\n',
  ],
  [
    'an invalid file',
    ['bad.yaml'],
    1,
    'bad.yaml:2:40: address-pools[0].addresses[0]: /33 is not a prefix length (0 to 32)\n',
  ],
  [
    'broken YAML',
    ['broken.yaml'],
    1,
    'broken.yaml:2:1: not valid YAML: deficient indentation; check that each bracket and quote before this place is closed\n',
  ],
  [
    'every file, even after an invalid one',
    ['bad.yaml', 'good.yaml'],
    1,
    'bad.yaml:2:40: address-pools[0].addresses[0]: /33 is not a prefix length (0 to 32)\ngood.yaml: valid: 0 peers, 1 pool\n',
  ],
  [
    'a manifest, and counts lines from the start of the manifest',
    ['manifest.yaml'],
    1,
    'manifest.yaml:15:17: peers[0].peer-asn: expected an AS number (1 to 4294967295), not 0\n' +
      'manifest.yaml:17:20: address-pools: expected a list of pools, not none\n',
  ],
  [
    'a manifest with the line breaks of Windows',
    ['manifest-crlf.yaml'],
    1,
    'manifest-crlf.yaml:15:17: peers[0].peer-asn: expected an AS number (1 to 4294967295), not 0\n' +
      'manifest-crlf.yaml:17:20: address-pools: expected a list of pools, not none\n',
  ],
  [
    'a quoted text in a manifest, and reports the place where the whole text begins',
    ['quoted.yaml'],
    1,
    'quoted.yaml:5:11: peers[0]: expected a peer with my-asn, peer-asn and peer-address, not 1 (line 2 of the configuration)\n',
  ],
  [
    'a folded text in a manifest',
    ['folded.yaml'],
    1,
    'folded.yaml:6:1: peers[0]: expected a peer with my-asn, peer-asn and peer-address, not 1 (line 2 of the configuration)\n',
  ],
  ['a ConfigMap in a List', ['list.yaml'], 1, 'list.yaml:9:14: peers: expected a list of peers, not 1\n'],
  ['the ConfigMap named config among several', ['two.yaml'], 0, 'two.yaml: valid: 0 peers, 0 pools\n'],
  [
    'manifests without a ConfigMap',
    ['foreign.yaml'],
    1,
    'foreign.yaml:1:1: no ConfigMap here has a text under data.config\n',
  ],
  [
    'a ConfigMap without the key config',
    ['other-key.yaml'],
    1,
    'other-key.yaml:1:1: no ConfigMap here has a text under data.config\n',
  ],
];
for (const [name, given, code, out] of rows) {
  test(`runValidate() checks ${name}`, async () => {
    assert.deepEqual(await validate(given), { code, out, err: '' });
  });
}

test('runValidate() reads standard input for -', async () => {
  assert.deepEqual(await validate(['-'], { stdin: 'peers: 1\n' }), {
    code: 1,
    out: '<stdin>:1:8: peers: expected a list of peers, not 1\n',
    err: '',
  });
});

test('runValidate() returns 2 when a file cannot be read, and still checks the others', async () => {
  const { code, out, err } = await validate(['missing.yaml', 'bad.yaml', 'good.yaml']);
  assert.equal(code, 2);
  assert.equal(err, 'bellman: cannot read missing.yaml: no such file\n');
  assert.match(out, /^bad\.yaml:2:40: .*\ngood\.yaml: valid/);
});

test('runValidate() names the assigned addresses that a valid file would orphan', async () => {
  const assigned = ['192.0.2.7', '198.51.100.7', '2001:db8::7'].flatMap((text, i) => {
    const address = parseIp(text);
    return address ? [{ service: `default/web-${i}`, address }] : [];
  });
  assert.deepEqual(await validate(['good.yaml'], { assigned }), {
    code: 1,
    out: ['198.51.100.7 of Service default/web-1', '2001:db8::7 of Service default/web-2']
      .map(
        (what) =>
          `good.yaml:1:1: address-pools: no pool would hold ${what}; keep its range with draining: true until the Service is gone\n`,
      )
      .join(''),
    err: '',
  });
  assert.deepEqual(await validate(['good.yaml'], { assigned: assigned.slice(0, 1) }), {
    code: 0,
    out: 'good.yaml: valid: 0 peers, 1 pool, 1 assigned address kept\n',
    err: '',
  });
});

test('runValidate() refuses to read standard input twice', async () => {
  const { code, out, err } = await validate(['-', 'good.yaml', '-'], { stdin: good });
  assert.equal(code, 2);
  assert.equal(out, '');
  assert.match(err, /standard input can be read only once/);
});
