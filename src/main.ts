/** The `bellman` program: chooses a command. Each command is a file in `cli/`. */
import { bellmanProgram } from './cli/program.ts';
import { runProgram } from './cli/run-program.ts';
import { version } from './version.ts';

await runProgram(bellmanProgram(version));
