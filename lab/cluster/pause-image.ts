import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OciLayout } from '../../scripts/image/oci.ts';
import { hostTarget } from '../../scripts/target.ts';

/** The name starts with a registry, so containerd does not add one. containerd never pulls the image, because each node has it already. */
export const pauseImage = 'bellman.invalid/pause:1';

/** Builds the image of the first process of each Pod (`pause.c`), and returns the path of its archive. */
export function buildPauseImage(folder: string): string {
  const rootFolder = join(folder, 'pause-root');
  mkdirSync(rootFolder, { recursive: true });
  const source = join(import.meta.dirname, 'pause.c');
  execFileSync('gcc', ['-static', '-Os', '-s', '-o', join(rootFolder, 'pause'), source]);
  const layout = new OciLayout(join(folder, 'pause-layout'), {
    reference: pauseImage,
    createdSeconds: 0,
    labels: {},
    user: '65532:65532',
    entrypoint: ['/pause'],
  });
  const archive = join(folder, 'pause.tar');
  layout.writeArchive(
    layout.addImage(hostTarget(), rootFolder, [{ paths: ['pause'], without: [] }]),
    archive,
  );
  return archive;
}
