/** The page of commands, flags and exit codes, made from the definitions of the commands. */
import type { Command, Option } from 'commander';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { bellmanProgram } from '../../src/cli/program.ts';
import { code, page, table } from './markdown.ts';

/** The meaning of each exit code, for each command. */
const exitMeanings: Record<keyof typeof exitCodes, Readonly<Record<string, string>>> = {
  success: {
    controller: 'The process stopped after SIGTERM or SIGINT.',
    speaker: 'The process stopped after SIGTERM or SIGINT.',
    validate: 'All files are valid.',
    convert: 'The ConfigMap was printed. Its pools hold every address in use.',
    status:
      'The configuration is in force as written, a controller leads, every Service has its addresses, every address that should be announced is announced, and no speaker reports a fault. With `dead-nodes` in the configuration: no node is reported dead, the controller lacks no right that it needs for dead nodes, and every speaker has written its death report. With `--problems`: nothing is wrong, and no session is down.',
    explain: 'Every address of the Service is announced.',
    trace: 'Events were printed.',
    capture:
      'Each node that was asked made its capture. At most eight nodes are asked, and a note tells of the others. The file has no frame if none was seen.',
    collect: 'The archive was written. Its `README.txt` names what could not be read.',
    drain:
      'The annotation is written. With `--wait`: the speaker of the node runs, has read all objects, knows that the node leaves, and announces nothing.',
    undrain: 'The node no longer has the annotation of `drain`.',
    takeover: 'The next command may be run, or nothing is left to do.',
    page: 'A signal ended the command. With `--end-with-input`, the end of standard input may have ended it.',
    completion: 'The completion was printed.',
    plugin: 'The plugin was printed.',
  },
  negative: {
    controller: 'A second signal ended the process before it had stopped.',
    speaker: 'A second signal ended the process before it had stopped.',
    validate: 'A file is not valid.',
    convert:
      'The ConfigMap was printed, but an address in use is in none of its pools. Or, with `--strict`, a field is not carried, and no ConfigMap was printed.',
    status:
      'A condition of code 0 does not hold, or could not be checked because a speaker was not reached. Without `--problems`, a session that is down does not count while another node announces the same addresses.',
    explain:
      'The Service or the address does not exist, or does not belong to Bellman; the Service is being deleted or has no address; or one of its addresses is not announced.',
    trace: 'No events were found.',
    capture:
      'A node that was asked did not capture. The file holds the frames of the others. Or no node that was reached announces the address, and a speaker was not reached.',
    collect: 'Not used.',
    drain: 'The annotation is written, but the condition of code 0 did not hold before the timeout.',
    undrain: 'Not used.',
    takeover: 'Something must be waited for or repaired first. The output says what.',
    page: 'A second signal ended it.',
    completion: 'Not used.',
    plugin: 'Not used.',
  },
  failed: {
    controller: 'The process could not start, for instance because a flag is wrong or its port is taken.',
    speaker: 'The process could not start, for instance because a flag is wrong or its port is taken.',
    validate: 'A file could not be read, or the API server could not be reached.',
    convert:
      'The source could not be read or converted, or the API server could not be reached. No ConfigMap was printed.',
    status: 'The API server could not be reached.',
    explain:
      'The API server could not be reached; or no speaker says that it announces the address, and a speaker that may announce it was not reached.',
    trace: 'The API server or a speaker could not be reached.',
    capture: 'The API server could not be reached, no node could capture, or the file could not be written.',
    collect: 'The API server could not be reached, or the archive could not be written.',
    drain: 'The node does not exist, you may not change it, or the API server could not be reached.',
    undrain: 'The node does not exist, you may not change it, or the API server could not be reached.',
    takeover:
      'The API server could not be reached, or you may not read the Pods, Deployments or DaemonSets of MetalLB.',
    page: 'The API server is not known, or the port is taken.',
    completion: 'The shell is unknown.',
    plugin: 'A flag is unknown.',
  },
  bug: {
    controller:
      'An uncaught exception ended the process. The log shows the exception, and another replica takes over.',
    speaker:
      'An uncaught exception ended the process. The log shows the exception, and the layer-2 process hands over its addresses.',
    validate: 'Not used.',
    convert: 'Not used.',
    status: 'Not used.',
    explain: 'Not used.',
    trace: 'Not used.',
    capture: 'Not used.',
    collect: 'Not used.',
    drain: 'Not used.',
    undrain: 'Not used.',
    takeover: 'Not used.',
    page: 'Not used.',
    completion: 'Not used.',
    plugin: 'Not used.',
  },
};

export function commandLinePage(): string {
  const program = bellmanProgram('');
  return page(
    'Command line',
    'The program `bellman` contains both daemons and all tools. A flag with an environment variable can also be set by that variable.\nIf both are set, the flag counts. The variable of a flag that takes no value is `true` or `false`.\n`BELLMAN_LEADER_ELECTION=false` has the same effect as `--no-leader-election`. `bellman COMMAND --help` prints the flags of a command.',
    table(
      ['command', 'what it does'],
      program.commands.map((command) => [
        `[${code(command.name())}](#bellman-${command.name()})`,
        sentence(command.description()),
      ]),
    ),
    ...program.commands.flatMap(commandSection),
    '## Exit codes',
    table(
      ['code', ...program.commands.map((command) => code(command.name()))],
      Object.entries(exitCodes).map(([name, number]) => [
        String(number),
        ...program.commands.map((command) => exitMeaning(name as keyof typeof exitCodes, command.name())),
      ]),
    ),
    'Every command exits with 2 when it is given a flag that does not exist.',
  );
}

function commandSection(command: Command): string[] {
  const name = `bellman ${command.name()}`;
  const hasFlags = command.options.length > 0;
  const flags = hasFlags ? ['[flags]'] : [];
  const usage = [name, ...flags, ...command.registeredArguments.map(argumentUsage)].join(' ');
  const operands = command.registeredArguments.map(
    (argument) =>
      `${code(argumentUsage(argument))}: ${sentence(argument.description)}${choices(argument.argChoices)}`,
  );
  return [
    `## ${name}`,
    `${sentence(command.description())}\n\n    ${usage}`,
    ...operands,
    ...(hasFlags ? [table(['flag', 'environment', 'default', 'meaning'], command.options.map(flagRow))] : []),
  ];
}

function argumentUsage(argument: Command['registeredArguments'][number]): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function flagRow(option: Option): string[] {
  return [
    code(option.flags),
    option.envVar === undefined ? '' : code(option.envVar),
    defaultText(option),
    sentence(option.description) + choices(option.argChoices),
  ];
}

function choices(values: readonly string[] | undefined): string {
  return values ? ` One of ${values.map(code).join(', ')}.` : '';
}

function defaultText(option: Option): string {
  if (option.mandatory) return 'required';
  if (option.defaultValueDescription !== undefined) return code(option.defaultValueDescription);
  const value: unknown = option.defaultValue;
  return value === undefined || typeof value === 'boolean' ? '' : code(String(value));
}

function exitMeaning(name: keyof typeof exitCodes, command: string): string {
  const meaning = exitMeanings[name][command];
  if (meaning === undefined)
    throw new Error(`scripts/reference/command-line.ts: say what exit code ${name} of ${command} means`);
  return meaning;
}

/** Makes a sentence of the description of a command or flag. Descriptions begin with a small letter and have no full stop. */
function sentence(text: string): string {
  return text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}.`;
}
