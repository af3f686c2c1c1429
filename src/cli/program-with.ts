import { Command } from 'commander';

/** The `bellman` program with some of its commands. */
export function programWith(version: string, commands: readonly Command[]): Command {
  const program = new Command('bellman')
    .description('LoadBalancer addresses on bare metal, announced by BGP, ARP and NDP')
    .version(version, '--version', 'print the version')
    .showHelpAfterError('(add --help for the flags)')
    .exitOverride();
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}
