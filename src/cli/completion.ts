import { Argument, Command } from 'commander';
import { shells } from './completion/shells.ts';

/** `bellman completion`: prints the completion of a shell, made from the flags of all commands. */
export function completionCommand(): Command {
  return new Command('completion')
    .description(
      'print the completion of bellman and kubectl-bellman for a shell, or of kubectl bellman for kubectl',
    )
    .addArgument(new Argument('<shell>', 'shell that reads the completion, or kubectl').choices(shells))
    .action(async (shell: (typeof shells)[number], _, command: Command) => {
      const { completionScript } = await import('./completion/scripts.ts');
      process.stdout.write(completionScript(shell, command.parent ?? command));
    });
}
