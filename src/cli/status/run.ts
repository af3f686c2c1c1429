/** The work of `bellman status`: reads the cluster, selects what the user asked for, and writes it in the chosen format. */
import { dump } from 'js-yaml';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import type { StatusSource } from '../../report/read/cluster-view.ts';
import { type Problem, problemsOf } from '../../report/status/problems.ts';
import { type StatusValue, statusValue } from '../../report/status/value.ts';
import type { ClusterView } from '../../report/status/view.ts';
import { parseSubject, type Subject } from '../../report/subject.ts';
import { collectStatus } from './collect.ts';
import { formatProblems, formatStatus } from './report.ts';

/** Version of the JSON and YAML that `bellman status --problems -o` prints. The format only grows. */
const problemsVersion = 1;

export interface StatusRequest {
  readonly service: string | undefined;
  readonly serviceNamespace: string | undefined;
  readonly output: 'text' | 'wide' | 'json' | 'yaml';
  readonly problems: boolean;
  readonly source: StatusSource;
}

export interface StatusAnswer {
  readonly text: string;
  readonly healthy: boolean;
}

/** Rejects when the API server cannot be reached, or when `service` has the form of neither a name nor an address. */
export async function runStatus({ source, ...request }: StatusRequest): Promise<StatusAnswer> {
  const isShown = serviceFilter(request.service, request.serviceNamespace);
  return answerOf(await collectStatus(source), isShown, request);
}

/** Pure. */
export function answerOf(
  view: ClusterView,
  isShown: (service: Service) => boolean,
  { output, problems }: Pick<StatusRequest, 'output' | 'problems'>,
): StatusAnswer {
  if (problems) {
    const found = problemsOf({ ...view, services: view.services.filter(isShown) });
    // Warnings do not change the verdict, because everything may work in spite of them.
    return { text: problemText(found, view.warnings ?? [], output), healthy: found.length === 0 };
  }
  const value = statusValue(view, isShown);
  const isTable = output === 'text' || output === 'wide';
  return { text: isTable ? formatStatus(value, output) : structured(value, output), healthy: value.healthy };
}

function problemText(
  problems: readonly Problem[],
  warnings: readonly string[],
  output: StatusRequest['output'],
): string {
  return output === 'json' || output === 'yaml'
    ? structured({ version: problemsVersion, problems, warnings }, output)
    : formatProblems(problems, warnings);
}

function structured(
  value:
    | StatusValue
    | {
        readonly version: typeof problemsVersion;
        readonly problems: readonly Problem[];
        readonly warnings: readonly string[];
      },
  output: 'json' | 'yaml',
): string {
  return output === 'json'
    ? `${JSON.stringify(value, null, 2)}\n`
    : dump(value, { lineWidth: -1, noRefs: true });
}

/** Selects Services by the argument and by `-n`. A name without a namespace selects the Services with this name in all namespaces. */
export function serviceFilter(
  text: string | undefined,
  namespace: string | undefined,
): (service: Service) => boolean {
  const subject = text === undefined ? undefined : parseSubject(text, '');
  return (service) =>
    (namespace === undefined || service.namespace === namespace) &&
    (subject === undefined || isMeant(service, subject));
}

function isMeant(service: Service, subject: Subject): boolean {
  if (subject.kind === 'address') return service.ingress.some(({ ip }) => ip === subject.address);
  return subject.namespace === ''
    ? service.name === subject.name
    : objectKey(service) === `${subject.namespace}/${subject.name}`;
}
