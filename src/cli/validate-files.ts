/** The report of `bellman validate` on files, and its exit code. */
import { formatIp } from '../address/index.ts';
import { encodeAcceptedConfig } from '../cluster/accepted-config.ts';
import { configMapKey, configMapName } from '../cluster/names.ts';
import { type AssignedAddress, type Config, type ConfigError, findConfigs, judge } from '../config/index.ts';
import { reasonOf } from '../result.ts';
import { counted } from './counted.ts';
import { exitCodes } from './exit-codes.ts';

export interface ValidateIo {
  /** All of standard input. */
  readonly stdin: () => Promise<string>;
  readonly readFile: (path: string) => Promise<string>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Addresses in use; absent when no cluster was asked. */
  readonly assigned?: readonly AssignedAddress[];
  /** Judges a valid configuration in the cluster; absent when no cluster was asked. */
  readonly judgeInCluster?: (config: Config) => ClusterJudgement;
}

export interface ClusterJudgement {
  /** Each has a path such as `address-pools[0]`, but no line and column. */
  readonly warnings: readonly { readonly path: string; readonly message: string }[];
  /** The effects of the edit, in sentences. */
  readonly effects: readonly string[];
}

/**
 * Judges each file with the controller's gate. The name `-` stands for standard input. A file holds a configuration, or manifests that
 * include the ConfigMap. Each error prints as `file:line:column: path: message`, and each warning as
 * `file:line:column: warning: path: message`. A warning that depends on the cluster has no line and column. For each valid configuration, one
 * line counts the peers and pools. With a cluster, there follows a line for each effect of the edit, or one line that says that the edit has none.
 *
 * Returns 0 when all files are valid, 1 when a file is not valid, and 2 when a file could not be read or `-` is given twice.
 */
export async function runValidate(files: readonly string[], io: ValidateIo): Promise<0 | 1 | 2> {
  let code: 0 | 1 | 2 = exitCodes.success;
  if (files.filter((file) => file === '-').length > 1) {
    io.stderr('bellman: standard input can be read only once; give - only once\n');
    return exitCodes.failed;
  }
  for (const file of files) {
    let text: string;
    try {
      text = await (file === '-' ? io.stdin() : io.readFile(file));
    } catch (error) {
      io.stderr(`bellman: cannot read ${file}: ${reasonOf(error)}\n`);
      code = exitCodes.failed;
      continue;
    }
    const report = reportOn(file === '-' ? '<stdin>' : file, text, io);
    for (const line of report.lines) io.stdout(`${line}\n`);
    if (!report.isValid && code === exitCodes.success) code = exitCodes.negative;
  }
  return code;
}

function reportOn(
  file: string,
  fileText: string,
  { assigned, judgeInCluster }: Pick<ValidateIo, 'assigned' | 'judgeInCluster'>,
): { readonly lines: readonly string[]; readonly isValid: boolean } {
  if (fileText.trim() === '') {
    const message = 'the file is empty; expected a configuration or manifests with its ConfigMap';
    return { lines: [formatError(file, { path: '', line: 1, column: 1, message })], isValid: false };
  }
  const found = findConfigs(fileText, { name: configMapName, key: configMapKey });
  if (!found.ok) return { lines: [formatError(file, found.error)], isValid: false };
  const lines: string[] = [];
  let isValid = true;
  for (const { text, inFile } of found.value) {
    const stored = encodeAcceptedConfig(text);
    const storageFault = stored.ok ? undefined : stored.error;
    const judgement = judge(text, { assigned: assigned ?? [], storageFault });
    if (judgement.kind === 'accepted') {
      const { peers, pools } = judgement.config;
      const kept = assigned ? `, ${counted(assigned.length, 'assigned address', 'es')} kept` : '';
      for (const warning of judgement.warnings) lines.push(formatWarning(file, inFile(warning)));
      const inCluster = judgeInCluster?.(judgement.config);
      for (const { path, message } of inCluster?.warnings ?? [])
        lines.push(`${file}: warning: ${path}: ${message}`);
      lines.push(`${file}: valid: ${counted(peers.length, 'peer')}, ${counted(pools.length, 'pool')}${kept}`);
      if (inCluster)
        lines.push(
          ...(inCluster.effects.length === 0
            ? [`${file}: effect: none on sessions, addresses and announcements`]
            : inCluster.effects.map((effect) => `${file}: effect: ${effect}`)),
        );
      continue;
    }
    isValid = false;
    for (const error of judgement.errors) lines.push(formatError(file, inFile(error)));
    for (const { service, address } of judgement.orphans) {
      const message = `no pool would hold ${formatIp(address)} of Service ${service}; keep its range with draining: true until the Service is gone`;
      lines.push(formatError(file, inFile({ path: 'address-pools', line: 1, column: 1, message })));
    }
  }
  return { lines, isValid };
}

function formatError(file: string, { path, line, column, message }: ConfigError): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

function formatWarning(file: string, warning: ConfigError): string {
  return formatError(file, { ...warning, path: `warning: ${warning.path}` });
}
