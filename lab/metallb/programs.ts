/**
 * The programs of MetalLB that `build.sh` has built. A private world has no network and another home folder, so `build.sh` must run before the world
 * starts.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface MetalLbPrograms {
  readonly version: string;
  readonly controller: string;
  readonly speaker: string;
  /** The folder with the kustomizations of this version, which v0.13 and newer have. */
  readonly manifests: string;
}

/** The folder of all versions. `build.sh --folder` prints it. */
const { BELLMAN_METALLB: folder = '' } = process.env;

export function metalLbPrograms(version: string): MetalLbPrograms {
  const own = join(folder, version);
  return {
    version,
    controller: join(own, 'controller'),
    speaker: join(own, 'speaker'),
    manifests: join(own, 'config'),
  };
}

/** Why a test cannot run MetalLB; `undefined` when it can. */
export function metalLbMissing({ version, speaker }: MetalLbPrograms): string | undefined {
  if (folder === '')
    return 'BELLMAN_METALLB does not name the folder that lab/metallb/build.sh --folder prints';
  return existsSync(speaker)
    ? undefined
    : `MetalLB ${version} is not built; run lab/metallb/build.sh ${version}, which builds it or says why it cannot`;
}
