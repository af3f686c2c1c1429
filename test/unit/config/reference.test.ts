/** Compares the examples, the JSON Schema and the reference page of the configuration with the parser. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from 'js-yaml';
import * as z from 'zod';
import {
  type Config,
  configJsonSchema,
  findConfigs,
  formatConfigError,
  parseConfig,
} from '../../../src/config/index.ts';
import {
  bfdProfileSchema,
  bgpAdvertisementSchema,
  configSchema,
  drainSchema,
  l2AdvertisementSchema,
  peerSchema,
  poolSchema,
  selectorSchema,
  taintMatchSchema,
  tolerationSchema,
} from '../../../src/config/schema/schema.ts';
import { listOf, objectOf, type Schema } from '../../../src/config/schema/schema-walk.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

function parsed(text: string): Config {
  const result = parseConfig(text);
  assert.ok(result.ok, result.ok ? '' : `${result.error.map(formatConfigError).join('\n')}\n${text}`);
  return result.value;
}

const examples = readdirSync(new URL('config/', root)).filter((file) => file.endsWith('.yaml'));

for (const file of examples) {
  test(`config/${file} is a ConfigMap with a valid configuration`, () => {
    const text = read(`config/${file}`);
    assert.match(text, /^# .+\n/, 'the first line is a comment that says what the file is for');
    assert.match(text, /^ {2}namespace: bellman-system$/m);
    const found = findConfigs(text, { name: 'config', key: 'config' });
    assert.ok(found.ok);
    assert.equal(found.value.length, 1);
    for (const { text: inner } of found.value) {
      const result = parseConfig(inner);
      assert.ok(result.ok && result.value.pools.length > 0);
      const idle = result.warnings.filter((one) => one.path.startsWith('peers') && one.isIdle);
      assert.deepEqual(idle, [], 'each value of a peer has an effect');
    }
  });
}

test('config/schema.json equals the output of scripts/config-schema.ts', () => {
  assert.deepEqual(JSON.parse(read('config/schema.json')), configJsonSchema());
});

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly description?: string;
  readonly pattern?: string;
}

test('config/schema.json describes every key and allows no others', () => {
  let count = 0;
  const visit = (schema: JsonSchema, path: string): void => {
    if (schema.properties) assert.equal(schema.additionalProperties, false, path);
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      assert.ok(value.description, `${path}.${key} has a description`);
      count++;
      visit(value, `${path}.${key}`);
    }
    if (schema.items) visit(schema.items, `${path}[]`);
    for (const option of schema.anyOf ?? []) visit(option, path);
  };
  visit(configJsonSchema(), '');
  assert.ok(count > 50);
});

test('config/schema.json judges durations as the parser does', () => {
  const { properties }: JsonSchema = configJsonSchema();
  const pattern = new RegExp(properties?.peers?.items?.properties?.['hold-time']?.pattern ?? assert.fail());
  const accepted = (text: string) =>
    parseConfig(`peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, hold-time: "${text}"}]\n`).ok;
  for (const text of ['', '0', '0s', '90s', '1h1m30s', '1.5h', '0.5m', '10.5s', '1m0.5s']) {
    assert.match(text, pattern);
    assert.ok(accepted(text), text);
  }
  assert.doesNotMatch(pattern.source, /\(\?[=!<]/, 'Helm cannot read a lookahead');
  for (const text of ['90', '500ms', '0.5s', '00.25s', '-90s', '90 s', '1d']) {
    assert.doesNotMatch(text, pattern);
    assert.ok(!accepted(text), text);
  }
});

/** Every key of an object's schema, and whether it is required. */
function keysOf(schema: z.ZodObject): Map<string, boolean> {
  return new Map(
    Object.entries(schema.shape).map(([key, value]) => [key, !(value instanceof z.ZodOptional)] as const),
  );
}

function inner(schema: z.ZodObject, key: string): z.ZodObject {
  let value: unknown = schema.shape[key];
  while (value instanceof z.ZodOptional || value instanceof z.ZodArray)
    value = value instanceof z.ZodOptional ? value.unwrap() : value.element;
  if (value instanceof z.ZodUnion) value = value.options.find((option) => option instanceof z.ZodObject);
  assert.ok(value instanceof z.ZodObject, key);
  return value;
}

const peer = (keys: string) => `peers:\n- {${keys}}\n`;
const required = {
  peer: ['my-asn: 64512', 'peer-asn: 64500', 'peer-address: 10.0.0.1'],
  pool: ['name: a', 'protocol: bgp', 'addresses: [192.0.2.0/24]'],
};

/** The required keys together with the example, which replaces a required key of the same name. */
function withKey(lines: readonly string[], example: string): string {
  const key = example.split(':', 1)[0];
  return [...lines.filter((line) => !line.startsWith(`${key}:`)), example].join(', ');
}

/** A document around the example of a peer's key. A key that begins with `bfd-` needs a profile, and `bfd-hold-down` also strict mode. */
const peerWith = (example: string) => {
  const bfd = ['bfd-profile: fast', 'bfd-strict: negotiate'];
  const around = example.startsWith('bfd-') ? [...required.peer, ...bfd] : required.peer;
  return `${peer(withKey(around, example))}bfd-profiles: [{name: fast}]\n`;
};
const profile = (keys: string) => `bfd-profiles: [{${keys}}]\n`;
const taints = (keys: string) => `leave-on-taints: [{${keys}}]\n`;
const pool = (keys: string) => `address-pools:\n- {${keys}}\n`;
const advertisement = (keys: string) =>
  `peers: [{name: tor-a, ${required.peer.join(', ')}}]\n${pool(`name: a, protocol: bgp, addresses: [192.0.2.0/24, '2001:db8::/64'], bgp-advertisements: [{${keys}}]`)}`;
const selector = (keys: string) => peer(`${required.peer.join(', ')}, node-selectors: [{${keys}}]`);

/** Each section that has a table of keys: heading, schema, and a function that builds a document around an example. */
const sections: readonly (readonly [string, z.ZodObject, (example: string) => string])[] = [
  ['## `peers`', peerSchema, peerWith],
  [
    '### `password-secret`',
    inner(peerSchema, 'password-secret'),
    (example) => peer(`${required.peer.join(', ')}, password-secret: {${withKey(['name: a'], example)}}`),
  ],
  [
    '### `graceful-restart`',
    inner(peerSchema, 'graceful-restart'),
    (example) => peer(`${required.peer.join(', ')}, graceful-restart: {${example}}`),
  ],
  ['## `leave-on-taints`', taintMatchSchema, (example) => taints(withKey(['key: a'], example))],
  [
    '### `tolerations`',
    tolerationSchema,
    (example) => {
      const operator = example.startsWith('key:') || example.startsWith('value:') ? 'Equal' : 'Exists';
      return taints(`key: a, tolerations: [{${withKey(['key: b', `operator: ${operator}`], example)}}]`);
    },
  ],
  ['## `drain`', drainSchema, (example) => `drain: {${example}}\n`],
  ['## `bfd-profiles`', bfdProfileSchema, (example) => profile(withKey(['name: fast'], example))],
  [
    '### `authentication`',
    inner(bfdProfileSchema, 'authentication'),
    (example) =>
      profile(`name: fast, authentication: {${withKey(['type: keyed-sha1', 'key-secret: bfd'], example)}}`),
  ],
  [
    '## `address-pools`',
    poolSchema,
    (example) =>
      pool(
        withKey(
          example.startsWith('l2-')
            ? required.pool.map((line) => line.replace('bgp', 'layer2'))
            : required.pool,
          example,
        ),
      ),
  ],
  ['### `bgp-advertisements`', bgpAdvertisementSchema, advertisement],
  [
    '### `l2-advertisements`',
    l2AdvertisementSchema,
    (example) =>
      pool(`name: a, protocol: layer2, addresses: [192.0.2.0/24], l2-advertisements: [{${example}}]`),
  ],
  ['## Selectors', selectorSchema, selector],
  [
    '### `match-expressions`',
    inner(selectorSchema, 'match-expressions'),
    (example) =>
      selector(`match-expressions: [{${withKey(['key: a', 'operator: In', 'values: [b]'], example)}}]`),
  ],
];

const page = read('docs/reference/configuration.md');

function sectionOf(heading: string): string {
  const start = page.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, `docs/reference/configuration.md has the heading ${heading}`);
  const rest = page.slice(start + heading.length + 2);
  const next = rest.search(/^##/m);
  return next < 0 ? rest : rest.slice(0, next);
}

for (const [heading, schema, documentAround] of sections) {
  test(`docs/reference/configuration.md documents every key of ${heading}, with default, bounds and an example that parses`, () => {
    const rows = sectionOf(heading)
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    const keys = keysOf(schema);
    assert.deepEqual(
      rows.map(([, key]) => key),
      [...keys.keys()].map((key) => `\`${key}\``),
    );
    for (const [, quoted = '', meaning, byDefault, bounds, example = ''] of rows) {
      const key = quoted.replaceAll('`', '');
      assert.ok(meaning && byDefault && bounds, `${key} has meaning, default and bounds`);
      assert.equal(
        byDefault === 'required',
        keys.get(key),
        `${key} is documented as required exactly when the schema requires it`,
      );
      const text = example.replace(/^`|`$/g, '');
      assert.ok(text.startsWith(`${key}: `), `the example of ${key} begins with ${key}`);
      parsed(documentAround(text));
    }
  });
}

test('docs/reference/configuration.md has a section for every top-level key', () => {
  for (const key of Object.keys(configSchema.shape)) assert.ok(sectionOf(`## \`${key}\``).length > 20);
});

/** Adds the keys of each object inside the value to `keys`, which holds one set of keys for each shape of a schema. */
function collectKeys(of: Schema, value: unknown, keys: Map<unknown, Set<string>>): void {
  const [list, object] = [listOf(of), objectOf(of)];
  if (list && Array.isArray(value)) for (const item of value) collectKeys(list.element, item, keys);
  else if (object && typeof value === 'object' && value !== null)
    for (const [key, inside] of Object.entries(value)) {
      keys.set(object.shape, (keys.get(object.shape) ?? new Set()).add(key));
      collectKeys(object.shape[key] as Schema, inside, keys);
    }
}

test('config/reference.yaml has every key, in the section that the key belongs to', () => {
  const found = findConfigs(read('config/reference.yaml'), { name: 'config', key: 'config' });
  assert.ok(found.ok);
  const keys = new Map<unknown, Set<string>>();
  for (const { text } of found.value) collectKeys(configSchema, load(text), keys);
  const topLevel = ['the top level', configSchema] as const;
  const deadNodes = ['## `dead-nodes`', inner(configSchema, 'dead-nodes')] as const;
  for (const [heading, schema] of [topLevel, deadNodes, ...sections])
    assert.deepEqual([...(keys.get(schema.shape) ?? [])].sort(), [...keysOf(schema).keys()].sort(), heading);
});
