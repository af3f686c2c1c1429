/** Decodes request bodies that were captured from kubectl 1.32 (`kubectl create KIND …`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiProblem } from '../../../lab/apiserver/problem.ts';
import { decodeProtobuf } from '../../../lab/apiserver/protobuf.ts';
import { protobufCaptures } from './protobuf-captures.ts';

for (const { command, base64, object } of protobufCaptures) {
  const body = Buffer.from(base64, 'base64');
  test(`decodeProtobuf() reads the body of ${command}`, () => {
    assert.deepEqual(decodeProtobuf(body), object);
  });
  test(`decodeProtobuf() throws no error other than ApiProblem for a truncated body of ${command}`, () => {
    for (let length = 0; length < body.length; length++) {
      try {
        decodeProtobuf(body.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof ApiProblem, `${length} octets: ${error}`);
      }
    }
  });
}

test('decodeProtobuf() names an unknown kind in its refusal', () => {
  const body = Buffer.from('k8s\0\x0a\x10\x0a\x02v1\x12\x0aDeployment\x12\x00', 'latin1');
  assert.throws(() => decodeProtobuf(body), /a Deployment only as JSON/);
});
