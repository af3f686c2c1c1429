/** Turns the reports of Ginkgo into results of tests, and the results into the page `docs/reference/conformance.md`. */
import { groups, leftOut } from './parts.ts';

/** The fields of Ginkgo's JSON report of one test that this file reads. */
export interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  /** `It` for a test. Hooks have reports too. */
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly State: string;
  readonly Failure?: { readonly Message: string };
}

/** Ginkgo's JSON report: one object for each test program. */
export type Report = readonly { readonly SpecReports: readonly SpecReport[] | null }[];

export interface TestResult {
  /** The outermost description of the test, without `[sig-network]` and labels, for example `Services`. */
  readonly group: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Why the test was skipped, or how it failed. Empty when it passed, and when a skipped test has no known reason. */
  readonly reason: string;
}

/**
 * The result of each test of the groups, in the order of the groups and of the names. Every report lists all tests. A test that one report calls
 * skipped may have run in another one.
 */
export function resultsOf(reports: readonly Report[]): readonly TestResult[] {
  const results = new Map<string, TestResult>();
  const specs = reports.flatMap((report) => report.flatMap(({ SpecReports }) => SpecReports ?? []));
  for (const spec of specs) {
    const result = resultOf(spec);
    if (result === undefined) continue;
    const key = `${result.group} ${result.name}`;
    const known = results.get(key);
    if (known === undefined || rank(result) > rank(known)) results.set(key, result);
  }
  const sorted = [...results.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return groups.flatMap((group) => sorted.filter((result) => result.group === group));
}

/** Failures outside the tests, in hooks of the suite. A hook fails, for instance, when the cluster is not ready. */
export function suiteFailures(reports: readonly Report[]): readonly string[] {
  return reports
    .flatMap((report) => report.flatMap(({ SpecReports }) => SpecReports ?? []))
    .filter(({ LeafNodeType, State }) => LeafNodeType !== 'It' && State !== 'passed' && State !== 'skipped')
    .map(({ LeafNodeType, Failure }) => `${LeafNodeType}: ${firstLine(Failure?.Message ?? 'no message')}`);
}

function resultOf(spec: SpecReport): TestResult | undefined {
  const [outer = ''] = spec.ContainerHierarchyTexts ?? [];
  const [, group] = /^\[sig-network\] (.*?)(?: \[.*)?$/.exec(outer) ?? [];
  if (spec.LeafNodeType !== 'It' || group === undefined || !groups.some((one) => one === group))
    return undefined;
  const name = withoutLabels(spec.LeafNodeText);
  const message = firstLine(spec.Failure?.Message ?? '');
  if (spec.State === 'passed') return { group, name, state: 'passed', reason: '' };
  if (spec.State !== 'skipped' && spec.State !== 'pending')
    return { group, name, state: 'failed', reason: message };
  return { group, name, state: 'skipped', reason: message || (leftOut[name] ?? '') };
}

/** How much a result says. `resultsOf` keeps the result that says most about a test. */
function rank({ state, reason }: TestResult): number {
  if (state !== 'skipped') return 2;
  return reason === '' ? 0 : 1;
}

/** Labels such as `[Slow]` stand at the end of a name. */
function withoutLabels(text: string): string {
  return text.replace(/( \[[^\]]*\])+$/, '');
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

/** Failed tests, and tests that were skipped without a reason. */
export function problemsIn(results: readonly TestResult[]): readonly string[] {
  return results.flatMap(({ group, name, state, reason }) => {
    if (state === 'failed') return [`${group}: ${name}: failed: ${reason}`];
    if (state === 'skipped' && reason === '') return [`${group}: ${name}: did not run, for no known reason`];
    return [];
  });
}

/** The text of `docs/reference/conformance.md`. */
export function pageOf(results: readonly TestResult[], version: string): string {
  const count = (state: TestResult['state']) => results.filter((result) => result.state === state).length;
  const section = (group: string) => [
    `## ${group}`,
    '| test | result |',
    '|---|---|',
    ...results
      .filter((result) => result.group === group)
      .map((result) => `| ${cell(result.name)} | ${outcome(result)} |`),
    '',
  ];
  return [
    '# Kubernetes end-to-end tests of Services',
    '',
    `\`make conformance\` runs the end-to-end tests of Kubernetes ${version} that concern Services, in a cluster of three nodes with Bellman, and`,
    'writes this page. The Services get their addresses from a BGP pool, and the client is behind the router.',
    '[Tests with Kubernetes itself](../design/real-kubernetes.md#kubernetes-own-tests) describes the cluster.',
    '',
    `Of ${results.length} tests, ${count('passed')} passed, ${count('failed')} failed, and ${count('skipped')} were skipped.`,
    '',
    ...groups.flatMap(section),
  ].join('\n');
}

function outcome({ state, reason }: TestResult): string {
  return state === 'passed' ? 'passed' : `**${state}**: ${cell(reason)}`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
}
