/**
 * MetalLB v0.16, configured by custom resources, announces Services in a lab that runs Kubernetes instead of the embedded API server.
 * `bellman convert` reads the custom resources from the cluster, and Bellman takes over by the commands that `bellman takeover status` prints.
 * These commands make Kubernetes end the Pods of MetalLB's Deployment and DaemonSet. The commands that are printed as BACK make Kubernetes start
 * these Pods again.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { metalLbMissing } from '../../lab/metallb/programs.ts';
import { skippedOnEmbedded } from '../../lab/start-api-server.ts';
import { definedFields } from '../support/takeover/definition-fields.ts';
import { Rehearsal } from '../support/takeover/rehearsal.ts';
import { ResourceMetalLb, resourceMetalLb } from '../support/takeover/resource-metallb.ts';
import { readFieldList } from '../unit/convert/field-lists.ts';

const missing = metalLbMissing(resourceMetalLb);

test('the field list metallb.txt has every spec field of the CustomResourceDefinitions that MetalLB ships', {
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
  skippedOnEmbedded('the embedded server knows no custom resources, no Deployments and no DaemonSets') ||
  (missing ?? false);

describe('a takeover from the custom resources of MetalLB', { concurrency: false, skip }, () => {
  let rehearsal: Rehearsal;

  before(async () => {
    rehearsal = await Rehearsal.start(new ResourceMetalLb());
  });
  after(() => rehearsal?.close());

  test('Bellman takes over with the converted configuration, without a lost datagram', async () => {
    const { steps } = await rehearsal.takeOver({ prepare: () => rehearsal.takeover.installBellman() });
    assert.ok(steps.some(({ command }) => command.includes('patch daemonset speaker')));
  });

  test('MetalLB takes over again by the commands printed as BACK, and no address changes', () =>
    rehearsal.goBack());
});
