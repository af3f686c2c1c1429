/** The `bellman` program: chooses a command. Each command is a file in `cli/`, and the exit codes are in `cli/exit-codes.ts`. */
import { CommanderError } from 'commander';
import { exitCodes } from './cli/exit-codes.ts';
import { bellmanProgram } from './cli/program.ts';
import { reasonOf } from './result.ts';
import { version } from './version.ts';

/**
 * Ends the process when output is lost. A reader that stops early, such as `head`, is not an error. Every other failure to write is an
 * error.
 */
function endOnLostOutput(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.success);
  process.stderr.write(`bellman: cannot write the output: ${error.message}\n`);
  process.exit(exitCodes.failed);
}
process.stdout.on('error', endOnLostOutput);
process.stderr.on('error', () => process.exit(exitCodes.failed));

try {
  await bellmanProgram(version).parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? exitCodes.success : exitCodes.failed;
  else {
    process.stderr.write(`bellman: ${reasonOf(error)}\n`);
    process.exitCode = exitCodes.failed;
  }
}
