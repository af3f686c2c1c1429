/**
 * MetalLB v0.16 announces Services by its custom resources on Kubernetes itself. `bellman convert` reads them from the cluster, and Bellman takes
 * over by the commands that `bellman takeover status` prints. Kubernetes carries the commands out: it ends the Pods of MetalLB's Deployment and
 * DaemonSet, and starts them again after the commands back.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { metalLbMissing } from '../../lab/metallb/programs.ts';
import { skippedOnEmbedded } from '../../lab/start-api-server.ts';
import { definedFields } from '../support/takeover/definition-fields.ts';
import { type Takeover, TakeoverLab } from '../support/takeover/lab.ts';
import { ResourceMetalLb, resourceMetalLb } from '../support/takeover/resource-metallb.ts';
import { readFieldList } from '../unit/convert/field-lists.ts';

const missing = metalLbMissing(resourceMetalLb);

test('the list of fields names every field of the definitions that MetalLB ships', {
  skip: missing ?? false,
}, () => {
  const listed = new Set(
    readFieldList('metallb').map(
      ({ kind, apiVersion, path }) => `${kind} ${apiVersion} ${path.replaceAll(/\[\d+\]/g, '')}`,
    ),
  );
  const defined = [...definedFields(join(resourceMetalLb.manifests, 'crd/bases'))].flatMap(([kind, paths]) =>
    paths.map((path) => `${kind} ${path}`),
  );
  assert.ok(defined.length > 50, `${defined.length} fields`);
  assert.deepEqual(
    defined.filter((field) => !listed.has(field)),
    [],
  );
});

const skip =
  skippedOnEmbedded('it knows no custom resources, no Deployments and no DaemonSets') || (missing ?? false);

describe('a takeover from the custom resources of MetalLB', { concurrency: false, skip }, () => {
  let takeover: TakeoverLab;
  let addresses: ReadonlyMap<string, string>;
  let taken: Takeover | undefined;

  before(async () => {
    takeover = await TakeoverLab.start({ metalLb: new ResourceMetalLb(), services: 8 });
    addresses = await takeover.addressesByService();
  });
  after(() => takeover?.close());

  test('Bellman takes over with the converted configuration, without a lost datagram', async () => {
    const macs = await takeover.macs();
    const { lost, detail, result } = await takeover.counted(async () => {
      await takeover.installBellman();
      return takeover.takeOver();
    });
    taken = result;
    assert.equal(lost, 0, detail);
    assert.deepEqual(await takeover.addressesByService(), addresses);
    assert.deepEqual(result.macs, macs);
    assert.ok(result.steps.some(({ command }) => command.includes('patch daemonset speaker')));
  });

  test('MetalLB takes over again by the commands back, and no address changes', async () => {
    assert.ok(taken);
    const way = taken;
    const { lost, asked, detail } = await takeover.counted(() => takeover.goBack(way));
    assert.ok(lost < asked / 100, detail);
    assert.deepEqual(await takeover.addressesByService(), addresses);
  });
});
