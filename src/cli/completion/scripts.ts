/** Completion scripts for shells. Pure. */
import type { Command } from 'commander';
import { kubectlCompletion } from './kubectl.ts';
import type { Shell } from './shells.ts';
import { type CommandWords, commandWords, type FlagWords } from './words.ts';

export function completionScript(shell: Shell, program: Command): string {
  const commands = commandWords(program);
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return zsh(commands);
    case 'fish':
      return fish(commands);
    case 'kubectl':
      return kubectlCompletion(program);
  }
}

function flagNames({ flags }: CommandWords): string[] {
  return flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, `-${short}`]));
}

function valueCases({ name, flags }: CommandWords): string[] {
  return flags.flatMap(({ long, short, takesValue, values }) => {
    if (!takesValue) return [];
    const names = [long, ...(short === undefined ? [] : [`-${short}`])].map((flag) => `${name}:${flag}`);
    const action =
      values.length > 0
        ? `mapfile -t COMPREPLY < <(compgen -W '${values.join(' ')}' -- "$current")`
        : 'mapfile -t COMPREPLY < <(compgen -f -- "$current")';
    return [`    ${names.join(' | ')}) ${action}; return ;;`];
  });
}

/** The first word that is the name of a command is the command. Flags of `kubectl bellman` and their values may therefore precede it. */
function bash(commands: readonly CommandWords[]): string {
  return `# Completion of bellman for bash: source <(bellman completion bash)
_bellman() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    ${commands.map(({ name }) => name).join(' | ')}) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command:$previous in
${commands.flatMap(valueCases).join('\n')}
  esac
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$current") ;;
${commands
  .map(
    (command) =>
      `    ${command.name}) mapfile -t COMPREPLY < <(compgen -W '${[...command.values, ...flagNames(command)].join(' ')}' -- "$current") ;;`,
  )
  .join('\n')}
  esac
}
complete -o default -F _bellman bellman kubectl-bellman
`;
}

/** A text between single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A flag as an argument of `_arguments`, a function of zsh. Brackets and colons in its description need a backslash. */
function zshFlag({ long, short, description, takesValue, values }: FlagWords): string[] {
  const text = description.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
  const value = takesValue ? `:value:${values.length > 0 ? `(${values.join(' ')})` : '_files'}` : '';
  const names = [long, ...(short === undefined ? [] : [`-${short}`])];
  return names.map((name) => quoted(`(${names.join(' ')})${name}[${text}]${value}`));
}

function zsh(commands: readonly CommandWords[]): string {
  return `#compdef bellman kubectl-bellman
# Completion of bellman for zsh: source <(bellman completion zsh)
_bellman() {
  local -a commands
  commands=(
${commands.map(({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', String.raw`\:`)}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands
  .map((command) => {
    const operand =
      command.values.length > 0 ? quoted(`1:value:(${command.values.join(' ')})`) : quoted('*:file:_files');
    return `    ${command.name}) _arguments ${[...command.flags.flatMap(zshFlag), operand].join(' ')} ;;`;
  })
  .join('\n')}
  esac
}
compdef _bellman bellman kubectl-bellman
`;
}

function fish(commands: readonly CommandWords[]): string {
  const line = (...parts: readonly string[]) => `complete -c bellman ${parts.join(' ')}`;
  const text = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
  return `# Completion of bellman for fish: bellman completion fish | source
${commands
  .flatMap(({ name, description, flags, values }) => {
    const inside = `-n '__fish_seen_subcommand_from ${name}'`;
    return [
      line('-f', '-n __fish_use_subcommand', `-a ${name}`, `-d ${text(description)}`),
      ...(values.length > 0 ? [line('-f', inside, `-a ${text(values.join(' '))}`)] : []),
      ...flags.map((flag) =>
        line(
          inside,
          `-l ${flag.long.slice(2)}`,
          ...(flag.short === undefined ? [] : [`-s ${flag.short}`]),
          ...(flag.takesValue ? ['-r'] : []),
          ...(flag.values.length > 0 ? ['-f', `-a ${text(flag.values.join(' '))}`] : []),
          `-d ${text(flag.description)}`,
        ),
      ),
    ];
  })
  .join('\n')}
complete -c kubectl-bellman -w bellman
`;
}
