/** The output of `bellman convert`, and its exit codes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import { type ClusterState, type ConvertRequest, runConvert } from '../../../src/cli/convert-objects.ts';
import { objectsIn } from '../../../src/convert/index.ts';

const pool = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: a, namespace: metallb-system}
spec: {addresses: [192.0.2.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: b, namespace: metallb-system}
`;
const lossy = pool.replace('addresses:', 'colour: red, addresses:');
const configMap = `# Converted from MetalLB.
apiVersion: v1
kind: ConfigMap
metadata:
  name: config
  namespace: bellman-system
data:
  config: |
    address-pools:
    - name: a
      protocol: layer2
      addresses:
      - 192.0.2.0/24
      l2-advertisements:
      - {}
`;

async function run(
  files: Readonly<Record<string, string>>,
  request: Partial<ConvertRequest> = {},
  cluster?: (wanted: { readonly from?: string }) => ClusterState,
) {
  let [out, err] = ['', ''];
  const code = await runConvert(
    {
      from: 'auto',
      files: Object.keys(files),
      strict: false,
      usesCluster: cluster !== undefined,
      ...request,
    },
    {
      stdin: () => Promise.resolve(files['-'] ?? ''),
      readFile: (name) =>
        files[name] === undefined || files[name] === 'missing'
          ? Promise.reject(new Error('no such file'))
          : Promise.resolve(files[name]),
      stdout: (text) => {
        out += text;
      },
      stderr: (text) => {
        err += text;
      },
      readCluster: (wanted) => Promise.resolve(cluster ? cluster(wanted) : { objects: [], assigned: [] }),
    },
  );
  return { code, out, err };
}

const address = (service: string, text: string) => {
  const parsed = parseIp(text);
  assert.ok(parsed);
  return { service, address: parsed };
};

test('the ConfigMap goes to standard output, and the table to standard error', async () => {
  const { code, out, err } = await run({ 'f.yaml': pool });
  assert.equal(out, configMap);
  assert.match(
    err,
    /^OBJECT +FIELD +RESULT +DETAIL\nIPAddressPool metallb-system\/a +spec.addresses +carried +address-pools\[0\].addresses\n/,
  );
  assert.match(err, /\n\nMetalLB: 0 peers, 1 pool\n2 fields: 1 carried, 1 changed, 0 not carried\n$/);
  assert.equal(code, 0);
});

test('objects may come from several files and from standard input', async () => {
  const [first = '', second = ''] = pool.split('---\n');
  const { code, out } = await run({ 'f.yaml': first, '-': second });
  assert.deepEqual([code, out], [0, configMap]);
});

test('--strict prints no ConfigMap when a field is not carried, and exits with 1', async () => {
  assert.equal((await run({ f: pool }, { strict: true })).code, 0);
  const { code, out, err } = await run({ f: lossy }, { strict: true });
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /spec.colour +not carried/);
  assert.match(err, /bellman: 1 field not carried, and --strict is given: no ConfigMap is printed\n$/);
  assert.equal((await run({ f: lossy })).code, 0);
});

test('a source that cannot be converted prints each fault and no part of a ConfigMap, and exits with 2', async () => {
  const wrong = pool.replace('192.0.2.0/24', '192.0.2.0/33, 198.51.100.0/40');
  const { code, out, err } = await run({ f: wrong });
  assert.deepEqual([code, out], [2, '']);
  assert.equal(
    err,
    'bellman: IPAddressPool metallb-system/a: spec.addresses: /33 is not a prefix length (0 to 32)\n' +
      'bellman: IPAddressPool metallb-system/a: spec.addresses: /40 is not a prefix length (0 to 32)\n',
  );
});

test('a file that cannot be read is named, together with the faults of the other files', async () => {
  const { code, out, err } = await run({ a: 'missing', b: '[' });
  assert.deepEqual([code, out], [2, '']);
  assert.match(err, /^bellman: cannot read a: no such file\nbellman: b:1:2: not valid YAML/);
});

test('without files and without a cluster there is nothing to convert', async () => {
  const { code, err } = await run({});
  assert.equal(code, 2);
  assert.match(err, /give files with --file, or a cluster with --kubeconfig/);
});

test('with a cluster and without files, the objects come from the cluster', async () => {
  const list = objectsIn({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPoolList',
    items: [{ metadata: { name: 'a', namespace: 'metallb-system' }, spec: { addresses: ['192.0.2.0/24'] } }],
  });
  assert.ok(list.ok);
  const { code, err } = await run({}, { from: 'metallb' }, ({ from }) => {
    assert.equal(from, 'metallb');
    return { objects: list.value, assigned: [address('default/web', '192.0.2.7')] };
  });
  assert.equal(code, 0);
  assert.match(err, /\n1 address in use: 1 in a converted pool, 0 in none\n$/);
});

test('an address in use that no converted pool holds is named, and the exit code is 1', async () => {
  const { code, out, err } = await run({ f: pool }, {}, ({ from }) => {
    assert.equal(from, undefined, 'the objects come from the file');
    return {
      objects: [],
      assigned: [
        address('default/web', '192.0.2.7'),
        address('default/old', '198.51.100.9'),
        address('a/six', '2001:db8::1'),
      ],
    };
  });
  assert.equal(code, 1);
  assert.equal(out, configMap);
  assert.match(
    err,
    /\n3 addresses in use: 1 in a converted pool, 2 in none\nno converted pool holds 198\.51\.100\.9 of Service default\/old; add its range to a pool\nno converted pool holds 2001:db8::1 of Service a\/six; add its range to a pool\n$/,
  );
});

test('text of the source cannot reach the terminal as an escape sequence', async () => {
  const hostile = pool.replace('name: a,', 'name: "a\\e[31m\\u202e",').replace('192.0.2.0/24', '"\\e[2Jx"');
  const { code, out, err } = await run({ f: hostile });
  assert.deepEqual([code, out], [2, '']);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what must not appear
  assert.doesNotMatch(err, /[\x00-\x09\x0b-\x1f\u202e]/);
});

test('a password never stands in the table', async () => {
  const { err } = await run({
    f: 'apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\nspec: {myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, password: hush-hush}\n',
  });
  assert.match(err, /spec.password +carried/);
  assert.doesNotMatch(err, /hush/);
});
