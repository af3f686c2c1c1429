import { randomBytes } from 'node:crypto';
import type { Api } from '../kubernetes/client.ts';
import { membershipSecretKey, membershipSecretName } from '../kubernetes/names.ts';
import { isConflict, isNotFound, paths } from '../kubernetes/write.ts';

/** Makes the Secret by which speakers recognise each other when it is missing; an existing one is left as it is. */
export async function ensureMembershipSecret(client: Api, namespace: string): Promise<'created' | 'present'> {
  const collection = paths.secrets(namespace);
  try {
    await client.request({ method: 'GET', path: `${collection}/${membershipSecretName}` });
    return 'present';
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
    return 'created';
  } catch (error) {
    if (isConflict(error)) return 'present';
    throw error;
  }
}
