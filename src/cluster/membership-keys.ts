import type { Secret } from '../kubernetes/model.ts';
import { fail, ok, type Result } from '../result.ts';
import { describeMissingKey } from './missing-key.ts';
import { membershipSecretKey, membershipSecretName } from './names.ts';

const keyOctets = 32;

/** Returns the keys of the membership Secret in base64, the encryption key first. Fails with a sentence about the fault of the Secret. */
export function readMembershipKeys(secret: Secret | undefined): Result<readonly string[], string> {
  const name = `Secret ${membershipSecretName}`;
  if (!secret) return fail(`${name} does not exist`);
  const value = secret.data[membershipSecretKey];
  if (!value) return fail(`${name} ${describeMissingKey(membershipSecretKey, secret.data)}`);
  const lines = new TextDecoder().decode(value).split('\n');
  const keys: string[] = [];
  for (const [i, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '') continue;
    const octets = Buffer.from(line, 'base64');
    if (octets.length !== keyOctets || octets.toString('base64') !== line)
      return fail(`${name}, ${membershipSecretKey}, line ${i + 1} is not ${keyOctets} octets in base64`);
    keys.push(line);
  }
  return keys.length > 0 ? ok(keys) : fail(`${name} has no membership key under ${membershipSecretKey}`);
}
