/** The processes of Bellman on this machine. BELLMAN_PROGRAM names the program that `make build` wrote; without it, Bellman runs from source. */
import { dirname, join } from 'node:path';
import { processesOf } from './processes.ts';

const { BELLMAN_PROGRAM: program } = process.env;
/** The Node binary that runs Bellman. */
export const executable = program === undefined ? process.execPath : join(dirname(program), 'bin/node');

const isLayer2 = (command: readonly string[]) => command.some((part) => /layer2.process\.[jt]s$/.test(part));
const isChild = (command: readonly string[]) =>
  command.some((part) => /(layer2|bfd).process\.[jt]s$/.test(part));

/** The main processes of the speakers. */
export const speakerProcesses = () =>
  processesOf(executable, (command) => command.includes('speaker') && !isChild(command));
export const layer2Processes = () => processesOf(executable, isLayer2);
/** The processes that speakers start. They take frames from the network, and a speaker replaces each one that ends. */
export const childProcesses = () => processesOf(executable, isChild);

/**
 * The processes of Bellman by role. The speaker includes its layer-2 process. Throws when the controller or the speaker does not run, because
 * a bench finds no fault in a process that it does not measure.
 */
export function processesByRole(): Map<string, readonly number[]> {
  const controllers = processesOf(executable, (command) => command.includes('controller'));
  const layer2 = layer2Processes();
  const speakers = [...speakerProcesses(), ...layer2];
  if (controllers.length === 0 || speakers.length === layer2.length)
    throw new Error(`the controller or the speaker does not run with ${executable}`);
  return new Map([
    ['controller', controllers],
    ['speaker', speakers],
    ...(layer2.length > 0 ? [['its layer-2 process', layer2] as const] : []),
  ]);
}
