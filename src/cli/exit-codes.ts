import { crashExitCode } from '../telemetry/crash.ts';

/** Exit codes of all commands. `docs/reference/command-line.md` explains them. */
export const exitCodes = { success: 0, negative: 1, failed: 2, bug: crashExitCode } as const;
