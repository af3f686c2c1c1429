/** The words of a command line, taken from the definitions of the commands. Pure. */
import type { Command, Option } from 'commander';

export interface CommandWords {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly FlagWords[];
  /** The allowed values of the first argument. Empty when every value is allowed. */
  readonly values: readonly string[];
}

export interface FlagWords {
  /** With the dashes. */
  readonly long: string;
  /** One letter without the dash. */
  readonly short?: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** Empty when every value is allowed. */
  readonly values: readonly string[];
}

export function commandWords(program: Command): CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    flags: [...command.options.map(flagWords), help],
    values: command.registeredArguments[0]?.argChoices ?? [],
  }));
}

const help: FlagWords = {
  long: '--help',
  short: 'h',
  description: 'display help for command',
  takesValue: false,
  values: [],
};

function flagWords(option: Option): FlagWords {
  return {
    long: option.long ?? '',
    ...(option.short ? { short: option.short.slice(1) } : {}),
    description: option.description,
    takesValue: option.required || option.optional,
    values: option.argChoices ?? [],
  };
}
