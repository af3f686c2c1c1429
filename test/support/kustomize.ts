import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAll } from 'js-yaml';

const folder = fileURLToPath(new URL('../../manifests/', import.meta.url));

/** The objects of the manifests with these components, as kubectl renders them. Throws when kubectl refuses to render them. */
export function kustomize<T = object>(...components: readonly string[]): T[] {
  const overlay = mkdtempSync(join(tmpdir(), 'bellman-overlay-'));
  try {
    cpSync(folder, join(overlay, 'manifests'), { recursive: true });
    mkdirSync(join(overlay, 'site'));
    const paths = components.map((component) => `../manifests/${component}`);
    const kustomization = JSON.stringify({ resources: ['../manifests'], components: paths });
    writeFileSync(join(overlay, 'site/kustomization.yaml'), kustomization);
    const text = execFileSync('kubectl', ['kustomize', join(overlay, 'site')], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return loadAll(text) as T[];
  } finally {
    rmSync(overlay, { recursive: true, force: true });
  }
}
