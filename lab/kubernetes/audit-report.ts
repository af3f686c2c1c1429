/**
 * Judges the audit logs of a test run: which requests of Bellman the API server refused, and which of the rights in the manifests were used.
 *   node lab/kubernetes/audit-report.ts [--complete] FOLDER
 * Exits with 1 if there is no audit log, or if a request was refused for a reason that the test did not cause. With `--complete`, which says that
 * all tests ran, it also exits with 1 if a right was not used.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadAll } from 'js-yaml';
import { type AuditEvent, AuditLog, isFirstOfRequest } from './audit-log.ts';
import { accountOf, type Grant, grantsOf, type Manifest, rightsUsed, type Use, usesIn } from './grants.ts';
import { type Fault, isExcused, isOurs, isRefused } from './refusals.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { complete: { type: 'boolean', default: false } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('usage: audit-report.ts [--complete] FOLDER');

const manifestFolder = fileURLToPath(new URL('../../manifests/', import.meta.url));
const manifests = ['.', 'dead-nodes']
  .map((folder) => join(manifestFolder, folder))
  .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  .filter((path) => path.endsWith('.yaml') && basename(path) !== 'kustomization.yaml')
  .flatMap((path) => loadAll(readFileSync(path, 'utf8')) as Manifest[]);

const suffix = '.audit.jsonl';
const logs = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(suffix)) : [];
const uses = new Map<string, { readonly use: Use; count: number }>();
const refused: string[] = [];
const requests = { ours: 0, excused: 0 };
for (const log of logs) {
  const faults = faultsOf(log);
  for (const event of new AuditLog(join(folder, log)).read()) {
    for (const use of usesIn(event)) count(use);
    if (!isOurs(event) || !isFirstOfRequest(event)) continue;
    requests.ours++;
    if (!isRefused(event)) continue;
    if (isExcused(event, faults)) requests.excused++;
    else refused.push(lineOf(log, event));
  }
}

function faultsOf(log: string): readonly Fault[] {
  const path = join(folder ?? '', log.replace(suffix, '.faults.jsonl'));
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Fault);
}

function count(use: Use): void {
  const key = JSON.stringify(use);
  const known = uses.get(key) ?? { use, count: 0 };
  known.count++;
  uses.set(key, known);
}

function lineOf(
  log: string,
  { requestReceivedTimestamp, user, verb, requestURI, responseStatus }: AuditEvent,
) {
  const { code, message = '' } = responseStatus ?? {};
  return `${log}: ${requestReceivedTimestamp} ${accountOf(user.username)} ${verb} ${requestURI}: ${code} ${message}`;
}

const grants = grantsOf(manifests);
const usesOf = new Map<Grant, number>();
for (const { use, count: times } of uses.values())
  for (const grant of rightsUsed(grants, use)) usesOf.set(grant, (usesOf.get(grant) ?? 0) + times);
const rows = grants.map((grant) => ({ grant, uses: usesOf.get(grant) ?? 0 }));
console.log(`\n── rights of the manifests, and their uses in ${logs.length} audit logs`);
console.log('| account | verb | resource | namespace | only | uses |\n|---|---|---|---|---|---|');
for (const { grant, uses: times } of rows)
  console.log(
    `| ${[grant.account, grant.verb, grant.resource, grant.namespace ?? 'all', grant.names.join(', '), times].join(' | ')} |`,
  );
const unused = rows.filter((row) => row.uses === 0);
console.log(
  `\n── ${requests.ours} requests of Bellman: ${refused.length} refused; ${requests.excused} more refused because of what a test did`,
);
for (const line of refused.slice(0, 50)) console.log(`refused: ${line}`);
for (const { grant } of unused)
  console.log(
    `granted and not used in this run: ${grant.account} ${grant.verb} ${grant.resource} in ${grant.namespace ?? 'all namespaces'}`,
  );
if (logs.length === 0) console.log(`there is no audit log in ${folder}`);
const isGood = logs.length > 0 && refused.length === 0 && (!values.complete || unused.length === 0);
process.exitCode = isGood ? 0 : 1;
