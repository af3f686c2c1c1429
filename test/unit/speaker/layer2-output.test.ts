import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CandidateSetChange } from '../../../src/layer2/address-entry.ts';
import type { EntriesChange } from '../../../src/layer2/messages.ts';
import { Layer2Output } from '../../../src/speaker/layer2-output.ts';

const setChange: CandidateSetChange = {
  set: 1,
  observedVersion: 5,
  remove: [],
  put: { candidates: ['node-1'], interfaces: [] },
};

/** An output, with each message that it sends as one line. */
function output() {
  const lines: string[] = [];
  const changedSets: CandidateSetChange[] = [];
  const line = (kind: string, { sets, upsert, remove }: EntriesChange) =>
    void lines.push(
      [
        kind,
        ...sets.map(({ set }) => `set ${set}`),
        ...upsert.map(({ address, group, observedVersion }) => `${address} ${group} ${observedVersion}`),
        ...remove.map(({ address, observedVersion }) => `-${address} ${observedVersion}`),
      ].join(', '),
    );
  const out = new Layer2Output(
    { table: (all) => line('table', all), change: (change) => line('change', change) },
    { takeChanges: () => changedSets.splice(0), all: () => [setChange] },
  );
  const planned = (service: string, addresses: string, isSingle: boolean, observedVersion = 1) => {
    const entries = addresses
      .split(' ')
      .filter((address) => address !== '')
      .map((address) => ({ address, group: service, sources: [1] }));
    out.planned(service, { entries, observedVersion, isSingle });
  };
  return { out, planned, changedSets, take: () => lines.splice(0) };
}

test('Layer2Output sends nothing before its start, then everything in one table', () => {
  const { out, planned, changedSets, take } = output();
  planned('web', '192.0.2.1', true);
  out.nodeChanged();
  changedSets.push(setChange);
  assert.equal(out.sendAhead(), false);
  assert.equal(out.entries(), undefined);
  assert.deepEqual(take(), []);
  out.start();
  assert.deepEqual(take(), ['table, set 1, 192.0.2.1 web 1']);
  out.sendAll();
  assert.equal(out.sendAhead(), false);
  assert.deepEqual(take(), [], 'the table has it all');
  assert.deepEqual(
    out.entries()?.upsert.map(({ address }) => address),
    ['192.0.2.1'],
  );
});

test('Layer2Output sends the changes of all plans in one message, with only the last change of each address', () => {
  const { out, planned, take } = output();
  out.start();
  take();
  planned('web', '192.0.2.1 192.0.2.2', false, 2);
  planned('mail', '192.0.2.3', false, 3);
  planned('web', '192.0.2.1', false, 4);
  assert.equal(out.sendAhead(), false);
  out.sendAll();
  assert.deepEqual(take(), ['change, 192.0.2.1 web 2, 192.0.2.3 mail 3, -192.0.2.2 4']);
  out.sendAll();
  assert.deepEqual(take(), []);
});

test('Layer2Output sends the change of a single planned Service only once, and before the changes of a plan of all Services', () => {
  const { out, planned, take } = output();
  out.start();
  take();
  planned('web', '192.0.2.1', false);
  planned('mail', '192.0.2.2', true);
  assert.equal(out.sendAhead(), true);
  assert.deepEqual(take(), ['change, 192.0.2.2 mail 1']);
  assert.equal(out.sendAhead(), false);
  out.sendAll();
  assert.deepEqual(take(), ['change, 192.0.2.1 web 1']);
});

test('Layer2Output sends the sets of candidates ahead when a node has changed', () => {
  const { out, planned, changedSets, take } = output();
  out.start();
  take();
  planned('web', '192.0.2.1', false);
  changedSets.push(setChange);
  assert.equal(out.sendAhead(), false);
  out.nodeChanged();
  assert.equal(out.sendAhead(), true);
  assert.deepEqual(take(), ['change, set 1']);
});

test('Layer2Output does not send the change of a shared address ahead', () => {
  const { out, planned, take } = output();
  out.start();
  take();
  planned('udp', '192.0.2.1', true);
  planned('tcp', '192.0.2.1', true);
  assert.deepEqual(out.servicesOf('192.0.2.1'), ['udp', 'tcp']);
  assert.equal(out.sendAhead(), false);
  out.sendAll();
  assert.deepEqual(take(), ['change, 192.0.2.1 tcp 1']);
});
