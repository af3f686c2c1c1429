/** The files of the page. The browser gets them as they are in `browser/`, and a build only copies them. */
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

/** The file with a name such as `page.css`; `undefined` when there is none. Names with a slash are refused, so no name leads out of the folder. */
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
