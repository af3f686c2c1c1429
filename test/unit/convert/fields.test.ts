/** Every field of the API of each source stands in the table of `bellman convert`, with the outcome that the list of fields names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  convert,
  formatFault,
  objectsIn,
  type Row,
  type SourceObject,
  sources,
} from '../../../src/convert/index.ts';
import { baseObjects, readFieldList, writeField } from './field-lists.ts';

/** The object as a row names it. */
function nameOf({ kind, namespace, name }: SourceObject): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

test('the list of each source names at least 10 fields, and all lists together name at least 200', () => {
  const counts = sources.map(({ name }) => readFieldList(name).length);
  assert.ok(Math.min(...counts) >= 10, counts.join(' '));
  assert.ok(
    counts.reduce((sum, count) => sum + count) >= 200,
    `${counts.reduce((sum, count) => sum + count)} fields`,
  );
});

for (const { name } of sources)
  for (const field of readFieldList(name))
    test(`${name}: ${field.kind} ${field.apiVersion} ${field.path} = ${JSON.stringify(field.value)} is ${field.outcome}`, () => {
      const objects = baseObjects(name);
      const object = writeField(objects, field);
      const result = convert(objects, { from: name });
      assert.ok(result.ok, result.ok ? '' : result.error.map(formatFault).join('\n'));
      const rows = result.value.rows.filter(
        (row) =>
          row.object === nameOf(object) &&
          (row.field === field.path || row.field.startsWith(`${field.path}.`)),
      );
      assert.notEqual(rows.length, 0, `${field.path} is not in the table`);
      assert.ok(
        rows.some(({ outcome }) => outcome === field.outcome),
        JSON.stringify(rows),
      );
      for (const { detail } of rows) assert.notEqual(detail, '');
    });

for (const { name, title } of sources)
  test(`${title}: an unknown field stands in the table as not carried`, () => {
    const [kind, apiVersion] = name === 'kube-vip' ? ['ConfigMap', 'v1'] : [undefined, undefined];
    const objects = baseObjects(name);
    for (const object of objects) {
      const holder = (kind === undefined ? object.body.spec : object.body.data) as Record<string, unknown>;
      holder.colour = apiVersion === undefined ? { deep: 1 } : 'red';
    }
    const result = convert(objects, { from: name });
    assert.ok(result.ok);
    for (const object of objects) {
      const row: Row | undefined = result.value.rows.find(
        (each) => each.object === nameOf(object) && each.field.includes('colour'),
      );
      assert.equal(row?.outcome, 'not carried', `${object.kind} ${object.name}`);
    }
  });

test('an unread field with more than fifty values gets one row for each of the first fifty, and one more for the whole field', () => {
  const objects = baseObjects('metallb');
  const [object] = objects;
  assert.ok(object);
  const colours = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`c${i}`, i]));
  (object.body.spec as Record<string, unknown>).colours = colours;
  const result = convert(objects, { from: 'metallb' });
  assert.ok(result.ok);
  const fields = result.value.rows.map(({ field }) => field).filter((field) => field.includes('colours'));
  assert.equal(fields.length, 51);
  assert.match(fields.at(-1) ?? '', /colours$/);
});

test('MetalLB: the row of a list names every warning about its items, and a warning about an object has a row of its own', () => {
  const text = `
address-pools:
- name: a
  protocol: layer2
  addresses: [192.0.2.1/28, 192.0.2.33/28]
bfd-profiles:
- name: fast
peers:
- name: router
  my-asn: 64512
  peer-asn: 64500
  peer-address: 192.0.2.250
  bfd-profile: fast
  graceful-restart: {restart-time: 60s}
`;
  const objects = objectsIn({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'config', namespace: 'metallb-system' },
    data: { config: text },
  });
  assert.ok(objects.ok);
  const result = convert(objects.value, { from: 'metallb' });
  assert.ok(result.ok);
  const details = (field: string) =>
    result.value.rows.filter((row) => row.field.endsWith(field)).map(({ detail }) => detail);
  assert.match(
    details('addresses').join(),
    /192\.0\.2\.1\/28 has host bits.*; 192\.0\.2\.33\/28 has host bits/,
  );
  assert.match(details('peers[0].graceful-restart').join(), /also ends its BFD session/);
});
