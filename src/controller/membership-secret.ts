import { randomBytes } from 'node:crypto';
import { readMembershipKeys } from '../cluster/membership-keys.ts';
import { membershipSecretKey, membershipSecretName } from '../cluster/names.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { decodeSecret } from '../kubernetes/decode.ts';
import { paths } from '../kubernetes/write.ts';

/** `unusable` says why the speakers cannot use the Secret that is there. */
export type SecretState =
  | { readonly kind: 'created' | 'present' }
  | { readonly kind: 'unusable'; readonly reason: string };

/** Makes the Secret by which speakers recognise each other when it is missing; an existing one is left as it is. */
export async function ensureMembershipSecret(client: Api, namespace: string): Promise<SecretState> {
  const collection = paths.secrets(namespace);
  try {
    const path = `${collection}/${membershipSecretName}`;
    const keys = readMembershipKeys(decodeSecret(await client.request<RawObject>({ method: 'GET', path })));
    return keys.ok ? { kind: 'present' } : { kind: 'unusable', reason: keys.error };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    await client.request({
      method: 'POST',
      path: collection,
      body: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: membershipSecretName, namespace },
        type: 'Opaque',
        data: { [membershipSecretKey]: Buffer.from(randomBytes(32).toString('base64')).toString('base64') },
      },
    });
    return { kind: 'created' };
  } catch (error) {
    if (isConflict(error)) return { kind: 'present' };
    throw error;
  }
}
