/** Checks the samples on the pages: configurations parse, commands and flags exist, and names match the code. */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { test } from 'node:test';
import { loadAll } from 'js-yaml';
import { withoutComments } from '../../../scripts/reference/log-calls.ts';
import { allMetrics } from '../../../scripts/reference/metrics.ts';
import { bellmanProgram } from '../../../src/cli/program.ts';
import {
  annotations,
  configMapKey,
  configMapName,
  maintenanceAnnotation,
  peerPasswordLabel,
  requestPrefixes,
  takeoverKey,
} from '../../../src/cluster/names.ts';
import { findConfigs, formatConfigError, parseConfig } from '../../../src/config/index.ts';
import { requestNames } from '../../../src/controller/allocator/request.ts';
import { serviceConditionTypes } from '../../../src/kubernetes/model.ts';
import { codeBlocks, pages, read, root } from './pages.ts';

/** All pages except the changelog, because the changelog also names things that were removed. */
const checkedPages = pages.filter((page) => page !== 'CHANGELOG.md');

for (const page of checkedPages)
  for (const { language, text, line } of codeBlocks(read(page)))
    if (language === 'yaml')
      test(`${page}:${line} shows YAML that parses`, () => {
        for (const document of loadAll(text)) if (isConfiguration(document)) assertParses(text);
        if (!/^kind: ConfigMap$/m.test(text)) return;
        const found = findConfigs(text, { name: configMapName, key: configMapKey });
        assert.ok(found.ok && found.value.length > 0);
        for (const config of found.value) assertParses(config.text);
      });

function isConfiguration(document: unknown): boolean {
  return typeof document === 'object' && document !== null && !('kind' in document);
}

function assertParses(text: string): void {
  const result = parseConfig(text);
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatConfigError).join('\n'));
}

const program = bellmanProgram('');
/** The script `kubectl-bellman` handles some flags itself. It has a line `--flag)` for each of them. */
const plugin = read('bin/kubectl-bellman');
const flagsByCommand = new Map(
  program.commands.map((command) => [command.name(), command.options.map(({ long }) => long)]),
);

for (const page of checkedPages)
  test(`${page} shows only commands and flags that exist`, () => {
    const text = read(page);
    const shell = codeBlocks(text)
      .filter(({ language }) => language === 'sh' || language === 'console')
      .flatMap((block) => block.text.split('\n'));
    const inline = Array.from(text.matchAll(/`([^`\n]+)`/g), ([, span = '']) => span);
    for (const command of [...shell, ...inline]) assertCommandExists(command);
  });

function assertCommandExists(text: string): void {
  const line = text.replace(/^[a-z0-9-]*\$ /, '').replace(/ #.*/, '');
  const [, before, name, rest = ''] = /(^|-- |[|&;] |kubectl )bellman ([a-z]+)\b(.*)/.exec(line) ?? [];
  if (name !== undefined) {
    const flags = flagsByCommand.get(name);
    assert.ok(flags, `${text}: no such command`);
    for (const [flag] of rest.matchAll(/--[a-z-]+/g))
      assert.ok(
        flags.includes(flag) || (before === 'kubectl ' && plugin.includes(`${flag})`)),
        `${text}: no such flag`,
      );
  }
  const [, flag] = /^(--[a-z][a-z-]+)(?: [A-Za-z]+)?$/.exec(line) ?? [];
  if (flag !== undefined)
    assert.ok([...flagsByCommand.values()].flat().includes(flag), `${text}: no such flag`);
  const [, target] = /^make ([a-z-]+)/.exec(line) ?? [];
  if (target !== undefined)
    assert.match(read('Makefile'), new RegExp(`^${target}:`, 'm'), `${text}: no such target`);
  for (const [path] of line.matchAll(
    /\b(?:bench|test|lab|scripts|config|src|manifests)\/(?:[\w.-]+\/|[\w.-]+\.(?:ts|yaml|json|sh)\b)*/g,
  ))
    assert.ok(existsSync(new URL(path, root)), `${text}: ${path} does not exist`);
}

for (const page of checkedPages)
  test(`${page} names only metrics, annotations and labels that exist`, () => {
    const text = read(page);
    const metrics = allMetrics().map(({ name }) => name);
    for (const [name] of text.matchAll(/\bbellman_[a-z0-9_]+/g))
      assert.ok(metrics.includes(name), `${name}: no such metric`);
    const keys: readonly string[] = [
      ...Object.values(annotations),
      ...serviceConditionTypes,
      maintenanceAnnotation,
      takeoverKey,
      peerPasswordLabel.replace(/=.*/, ''),
      ...requestPrefixes.flatMap((prefix) => Object.values(requestNames).map((name) => prefix + name)),
    ];
    // In a command of kubectl, a hyphen after the name of an annotation or a label removes it.
    for (const [key] of text.matchAll(/\b(?:bellman\.dev|metallb\.universe\.tf|metallb\.io)\/[A-Za-z-]+/g))
      assert.ok(keys.includes(key.replace(/-$/, '')), `${key}: no such annotation or label`);
  });

test('docs/guides/troubleshooting.md quotes only messages that the code has', () => {
  const source = globSync('src/**/*.ts', { cwd: root })
    .map((path) => withoutComments(read(path)))
    .join('\n');
  const quoted = read('docs/guides/troubleshooting.md')
    .split('\n')
    .filter((line) => /^ *\| /.test(line))
    .flatMap((line) => Array.from((line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), ([, text = '']) => text))
    .filter((text) => !/^kubectl |^bellman |: true$/.test(text));
  assert.ok(quoted.length >= 10);
  for (const text of quoted)
    for (const part of text.split('…'))
      assert.ok(source.includes(part.trim()), `${text}: no such message in src`);
});

test('docs/guides/from-metallb.md lists, under "What Bellman rejects", only texts that the parser rejects', () => {
  const table =
    read('docs/guides/from-metallb.md').split('## What Bellman rejects')[1]?.split('\n## ')[0] ?? '';
  const texts = table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) =>
      Array.from((line.split('|')[1] ?? '').matchAll(/`([a-z-]+: [^`]+)`/g), ([, span = '']) => span),
    );
  assert.ok(texts.length >= 6);
  for (const text of texts) assert.ok(!parseConfig(configWith(text)).ok, `${text} is accepted`);
});

/** A configuration in which `text` replaces or adds a key of the peer or of the pool. */
function configWith(text: string): string {
  const without = (lines: readonly string[]) =>
    lines.filter((line) => !line.startsWith(`${text.split(':', 1)[0]}:`));
  const peer = without(['my-asn: 64512', 'peer-asn: 64500', 'peer-address: 10.0.0.1']);
  const pool = without(['name: a', 'protocol: bgp', 'addresses: [192.0.2.0/24]']);
  if (text.startsWith('addresses')) pool.push(text);
  else peer.push(text);
  return `peers:\n- {${peer.join(', ')}}\naddress-pools:\n- {${pool.join(', ')}}\n`;
}
