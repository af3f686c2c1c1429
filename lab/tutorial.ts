/**
 * Runs the commands of the tutorial in a lab. A line `lab$ COMMAND` of a console block is a command; the lines below it are its output.
 * A YAML block that begins with the comment `# NAME.yaml` is a file that the reader saves.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const prompt = 'lab$ ';
/** Marks the end of a command's output in the shell's output. */
const mark = '@@end of output@@';
/** Time for the cluster to react to a command before the next one runs. */
const settleSeconds = 2;

/** The page with the outputs that its commands print now. */
export async function runTutorial(page: string): Promise<string> {
  const blocks = page.split(/^(```\w*\n[\s\S]*?^```$)/m);
  const script = blocks.flatMap((block) => saveFile(block) ?? commandsOf(block).map(runAndMark));
  const printed = await shellOutput(`${script.join('\n')}\nexit\n`);
  const outputs = printed.split(`${mark}\n`).map(tidyOutput);
  return blocks
    .map((block) => {
      const commands = commandsOf(block);
      if (commands.length === 0) return block;
      const lines = commands.map((command) => `${prompt}${command}\n${outputs.shift() ?? ''}`);
      return `\`\`\`console\n${lines.join('')}\`\`\``;
    })
    .join('');
}

function commandsOf(block: string): string[] {
  if (!block.startsWith('```console\n')) return [];
  return block
    .split('\n')
    .filter((line) => line.startsWith(prompt))
    .map((line) => line.slice(prompt.length));
}

/** The shell command that saves the file of a block, if the block is a file. */
function saveFile(block: string): string[] | undefined {
  const [, name, text] = /^```yaml\n# ([\w-]+\.yaml)\n([\s\S]*)```$/.exec(block) ?? [];
  return name === undefined ? undefined : [`cat > /tmp/${name} <<'END_OF_FILE'\n${text}END_OF_FILE`];
}

function runAndMark(command: string): string {
  return `${command} 2>&1\nsleep ${settleSeconds}; echo '${mark}'`;
}

/** Removes trailing spaces and, before the output of the first command, the lab's welcome text. */
function tidyOutput(output: string, index: number): string {
  const text = index === 0 ? output.slice(output.lastIndexOf('\n\n') + 2) : output;
  const tidy = text.replaceAll(/[ \t]+$/gm, '').trimEnd();
  return tidy === '' ? '' : `${tidy}\n`;
}

function shellOutput(input: string): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('shell.ts', import.meta.url))], {
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
