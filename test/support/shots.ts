import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Chromium } from './chromium.ts';

const folder = process.env.BELLMAN_SHOTS ?? '';

/** Keeps a screenshot as NAME.png in the folder that `make page-test SHOTS=FOLDER` names; takes none without a folder. */
export async function keepShot(chromium: Chromium, name: string): Promise<void> {
  if (folder === '') return;
  mkdirSync(folder, { recursive: true });
  await chromium.screenshot(join(folder, `${name}.png`));
}
