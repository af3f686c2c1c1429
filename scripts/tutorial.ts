/**
 * Runs the commands of `docs/tutorial.md` in the lab and writes what they print into the page:
 *   lab/world .cache/bin/node scripts/tutorial.ts
 * A line `lab$ COMMAND` of a console block is a command; the lines below it are its output. A YAML block that begins with the comment
 * `# NAME.yaml` is a file that the reader has saved.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const page = new URL('../docs/tutorial.md', import.meta.url);
const prompt = 'lab$ ';
/** Marks the end of a command's output in the shell's output. */
const mark = '@@end of output@@';
/** Time for the cluster to follow a command before the next one runs. */
const settleSeconds = 2;

const blocks = readFileSync(page, 'utf8').split(/^(```\w*\n[\s\S]*?^```$)/m);
const script = blocks.flatMap((block) => fileOf(block) ?? commandsOf(block).map(run)).join('\n');
const outputs = (await shellOutput(`${script}\nexit\n`)).split(`${mark}\n`).map(withoutStart);

const rewritten = blocks.map((block) => {
  const commands = commandsOf(block);
  if (commands.length === 0) return block;
  const lines = commands.map((command) => `${prompt}${command}\n${outputs.shift() ?? ''}`);
  return `\`\`\`console\n${lines.join('')}\`\`\``;
});
writeFileSync(page, rewritten.join(''));

function commandsOf(block: string): string[] {
  if (!block.startsWith('```console\n')) return [];
  return block
    .split('\n')
    .filter((line) => line.startsWith(prompt))
    .map((line) => line.slice(prompt.length));
}

/** The shell command that saves the file of a block, if it is one. */
function fileOf(block: string): string[] | undefined {
  const [, name, text] = /^```yaml\n# ([\w-]+\.yaml)\n([\s\S]*)```$/.exec(block) ?? [];
  return name === undefined ? undefined : [`cat > /tmp/${name} <<'END_OF_FILE'\n${text}END_OF_FILE`];
}

function run(command: string): string {
  return `${command}\nsleep ${settleSeconds}; echo '${mark}'`;
}

/** What the lab prints before the first command belongs to no command. */
function withoutStart(output: string, index: number): string {
  const text = index === 0 ? output.slice(output.lastIndexOf('\n\n') + 2) : output;
  const lines = text.trimEnd();
  return lines === '' ? '' : `${lines.replaceAll(/[ \t]+$/gm, '')}\n`;
}

function shellOutput(input: string): Promise<string> {
  const child = spawn(process.execPath, [new URL('../lab/shell.ts', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`the lab ended with ${code}:\n${output}`)),
    );
  });
}
