/** The reference pages that are made from the code. The key is the path. `test/unit/docs/reference.test.ts` compares the pages with the files. */
import { annotationsPage } from './annotations.ts';
import { commandLinePage } from './command-line.ts';
import { eventsPage } from './events.ts';
import { logPage } from './log.ts';
import { metricsPage } from './metrics.ts';

export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/command-line.md', commandLinePage()],
    ['docs/reference/annotations.md', annotationsPage()],
    ['docs/reference/events.md', eventsPage()],
    ['docs/reference/metrics.md', metricsPage()],
    ['docs/reference/log.md', logPage()],
  ]);
}
