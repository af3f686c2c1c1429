import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownSpeakerList } from '../../../src/speaker/known-speakers.ts';
import { node } from './fixtures.ts';

function known(list: KnownSpeakerList): string[] {
  return list.speakers().known.map((speaker) => `${speaker.node} ${speaker.addresses.join()}`);
}

test('KnownSpeakerList lists the nodes that have a speaker Pod, or all nodes while no node is known to have one', () => {
  const list = new KnownSpeakerList();
  list.setNode('b', node('b', { internalIPs: ['10.0.0.2', 'fd00::2'] }));
  list.setNode('a', node('a', { internalIPs: ['10.0.0.1'] }));
  assert.deepEqual(known(list), ['a 10.0.0.1', 'b 10.0.0.2,fd00::2']);

  list.setPod('bellman-system/speaker-1', { podIPs: [] });
  assert.deepEqual(known(list), ['a 10.0.0.1', 'b 10.0.0.2,fd00::2'], 'the Pod is not scheduled yet');
  assert.equal(list.speakers().areCertain, false);
  list.setPod('bellman-system/speaker-1', { nodeName: 'b', podIPs: [] });
  assert.equal(list.speakers().areCertain, true);
  assert.deepEqual(known(list), ['b 10.0.0.2,fd00::2']);
  list.setPod('bellman-system/speaker-1', { nodeName: 'b', podIPs: ['10.0.0.2', '10.244.0.7'] });
  assert.deepEqual(known(list), ['b 10.0.0.2,10.244.0.7,fd00::2']);
  list.setPod('bellman-system/speaker-2', { nodeName: 'unheard', podIPs: ['10.0.0.9'] });
  assert.deepEqual(known(list), ['b 10.0.0.2,10.244.0.7,fd00::2', 'unheard 10.0.0.9']);

  list.setPod('bellman-system/speaker-1', undefined);
  list.setPod('bellman-system/speaker-2', undefined);
  list.setNode('b', undefined);
  assert.deepEqual(known(list), ['a 10.0.0.1']);
});
