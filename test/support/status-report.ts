/**
 * Reports of `bellman status` in a lab. The command needs more than a second of CPU time when it starts from source. A test that waits for a report
 * therefore runs the code of the command in the process of the test.
 */
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { bellman } from '../../lab/program.ts';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { defaultHttpPort } from '../../src/cli/flags.ts';
import { runStatus } from '../../src/cli/status/run.ts';
import { systemClock } from '../../src/clock.ts';
import { defaultNamespace } from '../../src/cluster/names.ts';
import { reasonOf } from '../../src/result.ts';

/** The options with which a test calls the code of a command for the cluster of a lab. */
export const labSource = {
  kubeconfig: kubeconfigPath,
  namespace: defaultNamespace,
  speakerPort: defaultHttpPort.speaker,
  // In the lab, the controller has the port of the speakers.
  controllerPort: defaultHttpPort.speaker,
  clock: systemClock,
};

export interface StatusReport {
  readonly text: string;
  readonly code: number;
}

/** Runs `bellman status` on a host. */
export async function runStatusOn(
  host: NetworkNamespace,
  ...flags: readonly string[]
): Promise<StatusReport> {
  const command = [bellman, 'status', '--kubeconfig', kubeconfigPath, ...flags];
  const text = await host.exec('sh', '-c', '"$@"; echo "exit $?"', 'sh', ...command);
  return { text, code: Number(/exit (\d+)\s*$/.exec(text)?.[1]) };
}

async function computeStatus(): Promise<StatusReport> {
  const { text, healthy } = await runStatus({
    ...{ service: undefined, serviceNamespace: undefined, output: 'text', problems: false },
    // The port that `bellman status` uses without flags, although the controller of the lab listens on another one.
    source: { ...labSource, controllerPort: defaultHttpPort.controller },
  });
  return { text, code: healthy ? exitCodes.success : exitCodes.negative };
}

/** Waits until the report of `bellman status` fulfils the condition. */
export async function untilStatus(
  lab: Lab,
  what: string,
  holds: (report: StatusReport) => boolean,
): Promise<void> {
  let last = '';
  await lab
    .until(what, async () => {
      const report = await computeStatus();
      last = report.text;
      return holds(report);
    })
    .catch((error: unknown) => {
      throw new Error(`${reasonOf(error)}\n${last}`);
    });
}
