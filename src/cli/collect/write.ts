import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { StatusSource } from '../../report/read/cluster-view.ts';
import { bundleFiles } from './bundle.ts';
import { tarEnd, tarEntry } from './tar.ts';

/** The folder inside the archive. */
const folder = 'bellman';

/** Writes the bundle to a file that only its owner may read, or to standard output (`-`). */
export async function writeBundle(
  source: StatusSource,
  { output, version }: { readonly output: string; readonly version: string },
): Promise<void> {
  const archive = Readable.from(entries(source, version), { objectMode: false });
  if (output === '-') await pipeline(archive, createGzip(), process.stdout, { end: false });
  else {
    const file = await open(output, constants.O_WRONLY | constants.O_CREAT, 0o600);
    // `open` does not change the mode of a file that exists. A device, such as /dev/null, must keep its mode.
    if ((await file.stat()).isFile()) {
      await file.chmod(0o600);
      await file.truncate(0);
    }
    await pipeline(archive, createGzip(), file.createWriteStream());
  }
}

async function* entries(source: StatusSource, version: string): AsyncGenerator<Buffer> {
  const seconds = source.clock.epochMs() / 1000;
  for await (const { name, text } of bundleFiles(source, version))
    yield tarEntry(`${folder}/${name}`, Buffer.from(text), seconds);
  yield tarEnd;
}
