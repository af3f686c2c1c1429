/** The files of the page, as they are in `browser/`. They need no build, and a build copies them. */
import { readFile } from 'node:fs/promises';

const folder = new URL('./browser/', import.meta.url);
const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** The file with a name such as `page.css`; `undefined` when there is none. A name with another form is never looked up. */
export async function assetNamed(name: string): Promise<Asset | undefined> {
  const [, extension = ''] = /^[a-z][a-z-]*\.([a-z]+)$/.exec(name) ?? [];
  const type = types[extension];
  if (type === undefined) return undefined;
  try {
    return { type, body: await readFile(new URL(name, folder)) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
