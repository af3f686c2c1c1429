/** Builds MetalLB from Go's module proxy into `.cache/rivals`. Nothing of its code enters the repository. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rivalsFolder } from './paths.ts';

export const metalLbVersion = 'v0.12.1';
const module = `go.universe.tf/metallb@${metalLbVersion}`;

/** The version of Go; `undefined` where Go is not installed. */
export function goVersion(): string | undefined {
  try {
    return execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** Exists when this version has been built. */
const stamp = join(rivalsFolder, `metallb-${metalLbVersion}.stamp`);

export function isMetalLbBuilt(): boolean {
  return existsSync(stamp);
}

/** Builds the two programs, unless an earlier run has built this version. */
export function buildMetalLb(): void {
  if (isMetalLbBuilt()) return;
  mkdirSync(rivalsFolder, { recursive: true });
  const answer = execFileSync('go', ['mod', 'download', '-json', module], {
    encoding: 'utf8',
    cwd: rivalsFolder,
    // The folder is in no module, so the repository's own files do not change the build.
    env: { ...process.env, GO111MODULE: 'on', GOFLAGS: '-mod=mod' },
  });
  const { Dir } = JSON.parse(answer) as { Dir: string };
  // `go install` refuses a module with replace directives, so the build runs in a copy of its tree. Go's own copy is read-only.
  const source = join(rivalsFolder, 'metallb-source');
  rmSync(source, { recursive: true, force: true });
  cpSync(Dir, source, { recursive: true });
  makeWritable(source);
  execFileSync('go', ['build', '-ldflags', '-s -w', '-o', `${rivalsFolder}/`, './controller', './speaker'], {
    cwd: source,
    stdio: 'inherit',
    env: { ...process.env, GOFLAGS: '-buildvcs=false' },
  });
  rmSync(source, { recursive: true });
  writeFileSync(stamp, '');
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeWritable(path);
    else if (entry.isFile()) chmodSync(path, 0o644);
  }
}
