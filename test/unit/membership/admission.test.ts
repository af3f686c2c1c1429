import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Admission } from '../../../src/membership/admission.ts';

/** Sends `count` datagrams within one second, and returns how many are admitted. */
function admitted(
  admission: Admission,
  count: number,
  host: (i: number) => string,
  isKnown: boolean,
): number {
  let total = 0;
  for (let i = 0; i < count; i++) if (admission.admits(host(i), isKnown, (i * 1000) / count)) total++;
  return total;
}

describe('Admission', () => {
  test('admits each datagram of a known session from a listed host', () => {
    const admission = new Admission();
    admission.setListed(new Set(['192.0.2.1']));
    assert.equal(
      admitted(admission, 3000, () => '192.0.2.1', true),
      3000,
    );
  });

  test('limits the new sessions of one listed host without limiting the sessions of other hosts', () => {
    const admission = new Admission();
    admission.setListed(new Set(['192.0.2.1', '192.0.2.2']));
    const count = admitted(admission, 3000, () => '192.0.2.1', false);
    assert.ok(count >= 59 && count <= 60, `${count} datagrams`);
    assert.ok(admission.admits('192.0.2.2', false, 1000));
  });

  test('limits all unlisted hosts together, however many addresses they send from', () => {
    const admission = new Admission();
    const count = admitted(admission, 3000, (i) => `198.51.100.${i % 250}`, false);
    assert.ok(count >= 149 && count <= 150, `${count} datagrams`);
    admission.setListed(new Set(['192.0.2.1']));
    assert.ok(admission.admits('192.0.2.1', false, 1000));
  });

  test('admits each datagram of a known session from an unlisted host that has proven itself', () => {
    const admission = new Admission();
    admission.prove('198.51.100.1');
    assert.equal(
      admitted(admission, 3000, () => '198.51.100.1', true),
      3000,
    );
  });
});
