import { Command } from 'commander';
import { controllerCommand } from './controller.ts';
import { speakerCommand } from './speaker.ts';
import { statusCommand } from './status.ts';
import { traceCommand } from './trace.ts';
import { validateCommand } from './validate.ts';

/** The `bellman` program with all its commands. */
export function bellmanProgram(version: string): Command {
  const program = new Command('bellman')
    .description('LoadBalancer addresses on bare metal, announced by BGP, ARP and NDP')
    .version(version, '--version', 'print the version')
    .showHelpAfterError('(add --help for the flags)')
    .exitOverride();
  const commands = [
    controllerCommand(),
    speakerCommand(),
    validateCommand(),
    statusCommand(),
    traceCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}
