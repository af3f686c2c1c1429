import { readFileSync } from 'node:fs';

/** The version of the program. The build replaces `process.env.BELLMAN_VERSION` with the version. */
export const version: string = process.env.BELLMAN_VERSION ?? versionOfPackage();

function versionOfPackage(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
