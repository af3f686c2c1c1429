/** Environment variables of flags that take no value, such as `--adopt-only`. */
import type { Command, Option } from 'commander';

const words = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

/**
 * Reads the variables of these flags again, because for commander any value of a variable means that the flag is given. The variable of a flag
 * `--no-…` says whether the feature is on: `BELLMAN_LEADER_ELECTION=false` means `--no-leader-election`. Ends the program when a value is not one
 * of `words`.
 */
export function readSwitchVariables(command: Command, environment: NodeJS.ProcessEnv): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (!isSwitch(option) || command.getOptionValueSource(name) !== 'env') continue;
    const text = environment[option.envVar ?? ''] ?? '';
    const value = words.get(text.toLowerCase());
    if (value === undefined)
      command.error(
        `error: option '${option.flags}' value '${text}' from env '${option.envVar}' is invalid. Use true or false.`,
      );
    command.setOptionValueWithSource(name, value, 'env');
  }
}

function isSwitch({ required, optional, envVar }: Option): boolean {
  return !required && !optional && envVar !== undefined;
}
