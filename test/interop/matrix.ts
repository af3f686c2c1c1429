import { mkdir, writeFile } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { type Daemon, type Feature, features } from './daemons/daemon.ts';
import { bodies } from './features.ts';

/** One column of the matrix, in the form in which a daemon's tests store it for `report.ts`. */
interface Column {
  readonly daemon: string;
  readonly version: string;
  readonly cells: Readonly<Partial<Record<Feature, string>>>;
}

/**
 * Runs the features one after another against the daemon, each with a fresh router. `BELLMAN_INTEROP_REPORT` names a directory for
 * the results, which `report.ts` reads.
 */
export function describeMatrix(daemon: Daemon): void {
  describe(`interoperability with ${daemon.name}`, () => {
    const cells: Partial<Record<Feature, string>> = {};
    for (const feature of features) {
      const reason = daemon.cannot[feature];
      test(feature, { skip: reason ?? false }, async () => {
        cells[feature] = 'failed';
        await bodies[feature](daemon);
        cells[feature] = 'yes';
      });
      if (reason !== undefined) cells[feature] = reason;
    }
    after(async () => {
      const directory = process.env.BELLMAN_INTEROP_REPORT;
      if (directory === undefined) return;
      await mkdir(directory, { recursive: true });
      const column: Column = { daemon: daemon.name, version: await daemon.version(), cells };
      await writeFile(`${directory}/${daemon.name}.json`, JSON.stringify(column, null, 2));
    });
  });
}
