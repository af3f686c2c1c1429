import { type Command, CommanderError } from 'commander';
import { reasonOf } from '../result.ts';
import { exitCodes } from './exit-codes.ts';

/**
 * Ends the process when output is lost. A reader that stops early, such as `head`, is not an error. Every other failure to write is an
 * error.
 */
function endOnLostOutput(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.success);
  process.stderr.write(`bellman: cannot write the output: ${error.message}\n`);
  process.exit(exitCodes.failed);
}

/** Runs the command that `process.argv` names. Sets the exit code; the exit codes are in `exit-codes.ts`. */
export async function runProgram(program: Command): Promise<void> {
  process.stdout.on('error', endOnLostOutput);
  process.stderr.on('error', () => process.exit(exitCodes.failed));
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError)
      process.exitCode = error.exitCode === 0 ? exitCodes.success : exitCodes.failed;
    else {
      process.stderr.write(`bellman: ${reasonOf(error)}\n`);
      // A credential plugin of the kubeconfig may hang, and would then keep this process alive.
      process.exit(exitCodes.failed);
    }
  }
}
