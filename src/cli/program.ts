import { Command } from 'commander';
import { controllerCommand } from './controller.ts';
import { speakerCommand } from './speaker.ts';
import { statusCommand } from './status.ts';
import { validateCommand } from './validate.ts';

/** The `bellman` program with all its commands. */
export function bellmanProgram(version: string): Command {
  const program = new Command('bellman')
    .description('LoadBalancer addresses on bare metal, announced by BGP, ARP and NDP')
    .version(version, '--version', 'print the version')
    .showHelpAfterError('(add --help for the flags)')
    .exitOverride();
  for (const command of [controllerCommand(), speakerCommand(), validateCommand(), statusCommand()])
    program.addCommand(command.copyInheritedSettings(program));
  return program;
}
