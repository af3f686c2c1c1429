/** The entry point of a build for `bellman speaker`. It loads no other command, so a speaker starts sooner than from `main.ts`. */
import { version } from '../version.ts';
import { programWith } from './program-with.ts';
import { runProgram } from './run-program.ts';
import { speakerCommand } from './speaker.ts';

await runProgram(programWith(version, [speakerCommand()]));
