/**
 * The completion of `kubectl bellman`. To complete a word, kubectl 1.26 or newer runs the program `kubectl_complete-bellman`, with the words
 * after `kubectl bellman` as arguments. The program completes the last word. It prints one candidate per line, with a tab before the description.
 * Its last line is a directive of Cobra, kubectl's library for commands. Pure.
 */
import type { Command } from 'commander';
import { type CommandWords, commandWords, type FlagWords } from './words.ts';

/** ShellCompDirectiveDefault: the shell may offer files too. ShellCompDirectiveNoFileComp: it offers only the printed candidates. */
const directive = { files: 0, nothingElse: 4 } as const;

/** The plugin does not run the daemons, because the manifests run them. */
const daemons: ReadonlySet<string> = new Set(['controller', 'speaker']);

/** The plugin takes these flags itself, before or after the command. */
const pluginFlags: readonly FlagWords[] = [
  { long: '--kubeconfig', description: 'kubeconfig of the cluster', takesValue: true, values: [] },
  { long: '--context', description: 'context of the kubeconfig', takesValue: true, values: [] },
];
const namespaceFlag: FlagWords = {
  ...{ long: '--namespace', short: 'n', takesValue: true, values: [] },
  description: 'namespace in which Bellman runs',
};

/** A POSIX script. */
export function kubectlCompletion(program: Command): string {
  const commands = commandWords(program)
    .filter(({ name }) => !daemons.has(name))
    .map(({ flags, ...rest }) => ({
      ...rest,
      flags: [...flags.filter(({ long }) => !pluginFlags.some((own) => own.long === long)), ...pluginFlags],
    }));
  const ofPlugin = { name: '', description: '', values: [], flags: [namespaceFlag, ...pluginFlags] };
  return `#!/bin/sh
# Completion of \`kubectl bellman\` for kubectl 1.26 or newer, in every shell for which kubectl's own completion is set up:
#   kubectl -n bellman-system exec deploy/controller -- bellman completion kubectl > kubectl_complete-bellman
# Put it into a folder of PATH, and make it executable.
set -eu

# Prints pairs of a word and its description.
offer() {
  printf '%s\\t%s\\n' "$@"
}

command=
previous=
# Goes through all words except the last one. A word after a flag with a value is that value.
while [ $# -gt 1 ]; do
  if [ -z "$command" ] && [ -z "$previous" ]; then
    case $1 in
      -*) ;;
      *) command=$1 ;;
    esac
  fi
  case "$command:$1" in
    ${[ofPlugin, ...commands].flatMap(valueFlags).join(' | ')}) previous=$1 ;;
    *) previous= ;;
  esac
  shift
done

case "$command:$previous" in
  *:--kubeconfig) printf ':${directive.files}\\n'; exit ;;
${commands.flatMap(choices).join('\n')}
  *:-*) printf ':${directive.nothingElse}\\n'; exit ;;
esac
case "$command:\${1-}" in
${[ofPlugin, ...commands]
  .map(({ name, flags }) => `  ${name}:-*) offer ${flags.map(flagPairs).join(' ')} ;;`)
  .join('\n')}
  :*) offer ${commands.map(({ name, description }) => pair(name, description)).join(' ')} ;;
${commands
  .filter(({ values }) => values.length > 0)
  .map(({ name, values }) => `  ${name}:*) offer ${values.map((value) => pair(value, '')).join(' ')} ;;`)
  .join('\n')}
esac
printf ':${directive.nothingElse}\\n'
`;
}

function namesOf({ long, short }: FlagWords): string[] {
  return [long, ...(short === undefined ? [] : [`-${short}`])];
}

/** The flags of a command that take a value, as patterns of `case`. */
function valueFlags({ name, flags }: CommandWords): string[] {
  return flags.flatMap((flag) => (flag.takesValue ? namesOf(flag).map((each) => `${name}:${each}`) : []));
}

/** A branch of `case` for each flag that allows only certain values. It offers these values. */
function choices({ name, flags }: CommandWords): string[] {
  return flags.flatMap((flag) =>
    flag.values.length === 0
      ? []
      : [
          `  ${namesOf(flag)
            .map((each) => `${name}:${each}`)
            .join(
              ' | ',
            )}) offer ${flag.values.map((value) => pair(value, '')).join(' ')}; printf ':${directive.nothingElse}\\n'; exit ;;`,
        ],
  );
}

function flagPairs({ long, description }: FlagWords): string {
  return pair(long, description);
}

/** A word and its description, as two quoted words of the shell. */
function pair(word: string, description: string): string {
  return `'${word}' '${description.replaceAll("'", String.raw`'\''`)}'`;
}
