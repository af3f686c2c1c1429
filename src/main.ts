/**
 * The `bellman` program: chooses a command. Each command is a file in `cli/`.
 *
 * Exit codes: 0 success, 1 a negative answer (`validate`, `status`), 2 the command could not run.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { controllerCommand } from './cli/controller.ts';
import { speakerCommand } from './cli/speaker.ts';
import { statusCommand } from './cli/status.ts';
import { validateCommand } from './cli/validate.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A reader that stops reading early, such as `head`, is not an error. Output that cannot be written is one. */
function endOnLostOutput(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.stderr.write(`bellman: cannot write the output: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 2);
}
process.stdout.on('error', endOnLostOutput);
process.stderr.on('error', () => process.exit(2));

const program = new Command('bellman')
  .description('LoadBalancer addresses on bare metal, announced by BGP, ARP and NDP')
  .version(version, '--version', 'print the version')
  .showHelpAfterError('(add --help for the flags)')
  .exitOverride();
for (const command of [controllerCommand(), speakerCommand(), validateCommand(), statusCommand()])
  program.addCommand(command.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`bellman: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
