import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Chromium } from './chromium.ts';

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/**
 * Checks the page that Chromium shows against the rules that axe-core has on by default: those of WCAG 2.0 and 2.1, levels A and AA, and its own
 * best practices. Returns one text for each violation.
 */
export async function accessibilityFaults(chromium: Chromium): Promise<string[]> {
  const source = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  await chromium.evaluate(`${source}; undefined`);
  const violations = await chromium.evaluate<Violation[]>(
    'axe.run().then(({ violations }) => violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) })))',
  );
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes
        .slice(0, 3)
        .map(({ html, failureSummary }) => `${html} ${failureSummary}`)
        .join(' | ')}`,
  );
}
