/** What `bellman validate` says about files, and the exit code that goes with it. */
import { formatIp } from '../address/index.ts';
import { encodeAcceptedConfig } from '../cluster/accepted-config.ts';
import { configMapKey, configMapName } from '../cluster/names.ts';
import { type AssignedAddress, type ConfigError, findConfigs, judge } from '../config/index.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';

export interface ValidateIo {
  /** All of standard input. */
  readonly stdin: () => Promise<string>;
  readonly readFile: (path: string) => Promise<string>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Addresses in use in the cluster, when one was asked. */
  readonly assigned?: readonly AssignedAddress[];
}

/**
 * Judges each file, `-` for standard input, by the gate itself; a file, which must not be empty, is a configuration or manifests with its ConfigMap. Prints
 * `file:line:column: path: message` for each error and a line for each valid file. Returns 0 when all are valid, 1 when one is
 * not, 2 when one could not be read.
 */
export async function runValidate(files: readonly string[], io: ValidateIo): Promise<ExitCode> {
  let code: ExitCode = exitCodes.success;
  if (files.filter((file) => file === '-').length > 1) {
    io.stderr('bellman: standard input is read once: name - once\n');
    return exitCodes.failed;
  }
  for (const file of files) {
    let text: string;
    try {
      text = await (file === '-' ? io.stdin() : io.readFile(file));
    } catch (error) {
      io.stderr(`bellman: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}\n`);
      code = exitCodes.failed;
      continue;
    }
    const lines = judgeFile(file === '-' ? '<stdin>' : file, text, io.assigned);
    for (const line of lines.text) io.stdout(`${line}\n`);
    if (!lines.isValid && code === exitCodes.success) code = exitCodes.negative;
  }
  return code;
}

function judgeFile(
  file: string,
  fileText: string,
  assigned: readonly AssignedAddress[] | undefined,
): { readonly text: readonly string[]; readonly isValid: boolean } {
  if (fileText.trim() === '') {
    const message = 'the file is empty; expected a configuration or manifests with its ConfigMap';
    return { text: [formatError(file, { path: '', line: 1, column: 1, message })], isValid: false };
  }
  const found = findConfigs(fileText, { name: configMapName, key: configMapKey });
  if (!found.ok) return { text: [formatError(file, found.error)], isValid: false };
  const text: string[] = [];
  let isValid = true;
  for (const { text: configText, inFile } of found.value) {
    const stored = encodeAcceptedConfig(configText);
    const judgement = judge(configText, {
      assigned: assigned ?? [],
      storageFault: stored.ok ? undefined : stored.error,
    });
    if (judgement.kind === 'accepted') {
      const { peers, pools } = judgement.config;
      const kept = assigned ? `, ${counted(assigned.length, 'assigned address', 'es')} kept` : '';
      text.push(`${file}: valid: ${counted(peers.length, 'peer')}, ${counted(pools.length, 'pool')}${kept}`);
      continue;
    }
    isValid = false;
    for (const error of judgement.errors) text.push(formatError(file, inFile(error)));
    for (const { service, address } of judgement.orphans) {
      const message = `no pool would hold ${formatIp(address)} of Service ${service}; keep its range with draining: true until the Service is gone`;
      text.push(formatError(file, inFile({ path: 'address-pools', line: 1, column: 1, message })));
    }
  }
  return { text, isValid };
}

function formatError(file: string, { path, line, column, message }: ConfigError): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}
