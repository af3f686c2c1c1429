import type { Command } from 'commander';
import { captureCommand } from './capture.ts';
import { collectCommand } from './collect.ts';
import { completionCommand } from './completion.ts';
import { controllerCommand } from './controller.ts';
import { convertCommand } from './convert.ts';
import { drainCommand, undrainCommand } from './drain.ts';
import { explainCommand } from './explain.ts';
import { pageCommand } from './page.ts';
import { pluginCommand } from './plugin.ts';
import { programWith } from './program-with.ts';
import { speakerCommand } from './speaker.ts';
import { statusCommand } from './status.ts';
import { takeoverCommand } from './takeover.ts';
import { traceCommand } from './trace.ts';
import { validateCommand } from './validate.ts';

/**
 * The `bellman` program: two daemons, and the tools of an operator. Each command parses its flags, loads the module that does
 * the work, and prints the result. The module is loaded late, so that a tool does not load the code of a daemon.
 *
 *   controller, speaker   run the daemons (`daemon.ts`: failures to start; `stop-signal.ts`: SIGTERM)
 *   validate              judges files with the gate of the controller
 *   convert               converts the configuration of another program (`src/convert/`)
 *   drain, undrain        write and remove the annotation by which a node leaves
 *   status, explain, trace
 *                         read the API server and the HTTP endpoints of the daemons (`src/report/read/`), then format the answers
 *   collect               writes these answers to an archive, without secrets
 *   capture               lets the speakers capture frames, and joins their files
 *   takeover              says how far the change from MetalLB to Bellman has progressed, and what is next
 *   page                  serves the web page of the cluster to a browser on this host (`src/page/`)
 *   completion            prints the completion for a shell, made from the definitions of the commands
 *   plugin                prints the plugin of kubectl
 *
 * Data from other hosts is decoded, bounded in size, and made printable before it reaches the terminal.
 */
export function bellmanProgram(version: string): Command {
  return programWith(version, [
    controllerCommand(),
    speakerCommand(),
    validateCommand(),
    convertCommand(),
    statusCommand(),
    explainCommand(),
    traceCommand(),
    collectCommand(version),
    captureCommand(),
    drainCommand(),
    undrainCommand(),
    takeoverCommand(),
    pageCommand(),
    completionCommand(),
    pluginCommand(),
  ]);
}
