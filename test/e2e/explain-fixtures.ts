/**
 * A lab for faults, and checks of what `bellman explain` and `bellman status --problems` say about them. The checks call the code of the commands
 * in the process of the test.
 */
import { after, before } from 'node:test';
import { Lab } from '../../lab/lab.ts';
import { collectFacts } from '../../src/cli/explain/collect.ts';
import { formatExplanation } from '../../src/cli/explain/text.ts';
import { collectStatus } from '../../src/cli/status/collect.ts';
import { explain } from '../../src/report/explain/explain.ts';
import { problemsOf } from '../../src/report/status/problems.ts';
import { parseSubject } from '../../src/report/subject.ts';
import { closeOnFailure } from '../support/close-on-failure.ts';
import { labSource } from '../support/status-report.ts';

export const peer = '{name: router, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 9s}';
export const pools = `
address-pools:
- {name: public, protocol: bgp, addresses: [198.51.100.0/24]}
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}
- {name: tiny, protocol: layer2, auto-assign: false, addresses: [192.0.2.200/32]}
- {name: elsewhere, protocol: layer2, auto-assign: false, addresses: [10.9.9.0/29]}
- name: rack
  protocol: layer2
  auto-assign: false
  addresses: [192.0.2.208/29]
  l2-advertisements: [{node-selectors: [{match-labels: {rack: z}}]}]
- name: gold
  protocol: bgp
  auto-assign: false
  addresses: [198.18.0.0/29]
  bgp-advertisements: [{service-selectors: [{match-labels: {tier: gold}}]}]
- {name: silent, protocol: none, auto-assign: false, addresses: [100.64.0.0/29]}
`;
export const config = (peers = peer, rest = pools) => `peers: [${peers}]${rest}`;

interface ServiceOver {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: object;
  /** Nodes with an endpoint. */
  readonly nodes?: readonly string[];
}

/**
 * A Service without a selector, and an EndpointSlice as Kubernetes would write it if the Service had a selector. So the faults need no running Pod.
 */
export function serviceObjects(name: string, pool: string, over: ServiceOver = {}): object[] {
  const { annotations = {}, spec = {}, nodes = ['node-1', 'node-2'] } = over;
  const metadata = { name, namespace: 'default' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, annotations: { 'bellman.dev/address-pool': pool, ...annotations } },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], ...spec },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ port: 8080, protocol: 'TCP' }],
      endpoints: nodes.map((nodeName, i) => ({
        addresses: [`10.244.${i + 1}.9`],
        nodeName,
        conditions: { ready: true },
      })),
    },
  ];
}

export class ExplainedLab {
  readonly lab: Lab;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  /** A lab of two nodes that announces `web` by BGP and `printer` in layer 2, and has no problem. */
  static async start(): Promise<ExplainedLab> {
    const lab = await Lab.start({ nodes: 2 });
    const explained = new ExplainedLab(lab);
    return closeOnFailure(lab, async () => {
      await lab.makeControllerPod();
      await lab.configure(config());
      await lab.apply(...serviceObjects('web', 'public'), ...serviceObjects('printer', 'office'));
      await explained.heals();
      return explained;
    });
  }

  /** Waits until both Services are announced and there is no problem. */
  async heals(): Promise<void> {
    await this.explained('web', 'announced', /announced by node-1, node-2 by BGP/);
    await this.explained('printer', 'announced', /announced by node-\d on eth0 since \S+ in layer 2/);
    await this.problems();
  }

  /** Waits until the explanation has this verdict and its first two lines match the pattern. */
  async explained(subject: string, verdict: string, pattern: RegExp): Promise<void> {
    let shown = '';
    await this.lab
      .until(`the explanation of ${subject} matches ${pattern}`, async () => {
        const explanation = explain(await collectFacts(parseSubject(subject, 'default'), labSource));
        const text = formatExplanation(explanation);
        shown = `${explanation.verdict}\n${text}`;
        return explanation.verdict === verdict && pattern.test(text.split('\n').slice(0, 2).join('\n'));
      })
      .catch((error: unknown) => {
        throw new Error(`the explanation of ${subject} is:\n${shown}`, { cause: error });
      });
  }

  /** Waits until the list of problems matches the patterns, in any order. Each line matches a pattern, and each pattern a line. */
  async problems(...patterns: readonly RegExp[]): Promise<void> {
    let found: string[] = [];
    await this.lab
      .until(`the problems are ${patterns.join(', ')}`, async () => {
        found = problemsOf(await collectStatus(labSource)).map(({ kind, text }) => `${kind}: ${text}`);
        return (
          found.every((line) => patterns.some((pattern) => pattern.test(line))) &&
          patterns.every((pattern) => found.some((line) => pattern.test(line)))
        );
      })
      .catch((error: unknown) => {
        throw new Error(`the problems are:\n${found.join('\n')}`, { cause: error });
      });
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.lab.kubectl('delete', 'service,endpointslice', ...names);
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** Starts an {@link ExplainedLab} before the tests of the calling suite, and closes it after them. */
export function useExplainedLab() {
  let started: ExplainedLab;
  before(async () => {
    started = await ExplainedLab.start();
  });
  after(() => started?.close());
  return {
    lab: () => started.lab,
    explained: (...expected: Parameters<ExplainedLab['explained']>) => started.explained(...expected),
    problems: (...patterns: readonly RegExp[]) => started.problems(...patterns),
    heals: () => started.heals(),
    remove: (...names: readonly string[]) => started.remove(...names),
  };
}
