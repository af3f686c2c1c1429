import { Argument, Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import {
  clusterFlag,
  daemonPortFlags,
  loadBalancerClassFlag,
  namespaceFlag,
  serviceNamespaceFlag,
} from './flags.ts';

interface ExplainFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly serviceNamespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly output: 'text' | 'json';
}

/** Exit code of each verdict. */
const codes = {
  announced: exitCodes.success,
  'not announced': exitCodes.negative,
  unknown: exitCodes.failed,
} as const;

/**
 * `bellman explain`: says why an address is announced or not. Exit codes: 0 when every address of the subject is announced; 1 when an address is
 * not announced; 2 when the command cannot know, because a speaker that may announce the address, or the API server, was not reached.
 */
export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'say for each address of a Service which nodes announce it, to which peers and since when, or why none does',
    )
    .addArgument(new Argument('<subject>', 'namespace/name or name of a Service, or an address'))
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(serviceNamespaceFlag('namespace of a Service that is named without one').default('default'))
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve, if no speaker can be asked'))
    .addOption(new Option('-o, --output <format>', 'format').choices(['text', 'json']).default('text'))
    .action(async (text: string, { output, serviceNamespace, ...source }: ExplainFlags) => {
      const { collectFacts } = await import('./explain/collect.ts');
      const { parseSubject } = await import('../report/subject.ts');
      const { explain } = await import('../report/explain/explain.ts');
      const { formatExplanation } = await import('./explain/text.ts');
      const subject = parseSubject(text, serviceNamespace);
      const explanation = explain(await collectFacts(subject, { ...source, clock: systemClock }));
      process.stdout.write(
        output === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : formatExplanation(explanation),
      );
      process.exitCode = codes[explanation.verdict];
    });
}
