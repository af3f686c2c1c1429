import { mkdir, writeFile } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { type BfdDaemon, type BfdFeature, bfdFeatures } from './daemons/daemon.ts';
import { bfdBodies } from './features.ts';

/** One column of the BFD matrix, in the form in which a daemon's tests store it for `report.ts`. */
interface BfdColumn {
  readonly daemon: string;
  readonly version: string;
  readonly cells: Readonly<Partial<Record<BfdFeature, string>>>;
}

/** Runs the features one after another against the daemon. When `BELLMAN_INTEROP_REPORT` names a directory, its folder `bfd` gets the results. */
export function describeBfdMatrix(daemon: BfdDaemon): void {
  describe(`BFD interoperability with ${daemon.name}`, () => {
    const cells: Partial<Record<BfdFeature, string>> = {};
    for (const feature of bfdFeatures) {
      const reason = daemon.cannot[feature];
      test(feature, { skip: reason ?? false }, async () => {
        cells[feature] = 'failed';
        await bfdBodies[feature](daemon);
        cells[feature] = 'yes';
      });
      if (reason !== undefined) cells[feature] = reason;
    }
    after(async () => {
      const directory = process.env.BELLMAN_INTEROP_REPORT;
      if (directory === undefined) return;
      await mkdir(`${directory}/bfd`, { recursive: true });
      const column: BfdColumn = { daemon: daemon.name, version: await daemon.version(), cells };
      await writeFile(`${directory}/bfd/${daemon.name}.json`, JSON.stringify(column, null, 2));
    });
  });
}
