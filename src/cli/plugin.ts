import { readFileSync } from 'node:fs';
import { Command } from 'commander';

/** `bellman plugin`: prints the plugin of kubectl that belongs to this version. */
export function pluginCommand(): Command {
  return new Command('plugin')
    .description('print kubectl-bellman, the plugin of kubectl')
    .action(() => void process.stdout.write(pluginScript()));
}

/** The build replaces `process.env.BELLMAN_PLUGIN` with the text of the script. Without a build, the script is read from its file. */
function pluginScript(): string {
  return (
    process.env.BELLMAN_PLUGIN ?? readFileSync(new URL('../../bin/kubectl-bellman', import.meta.url), 'utf8')
  );
}
