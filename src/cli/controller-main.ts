/** The entry point of a build for `bellman controller`. It loads no other command, so a controller starts sooner than from `main.ts`. */
import { version } from '../version.ts';
import { controllerCommand } from './controller.ts';
import { programWith } from './program-with.ts';
import { runProgram } from './run-program.ts';

await runProgram(programWith(version, [controllerCommand()]));
