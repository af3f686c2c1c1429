import { maxKeyOctets } from '../../bfd/codec/authentication.ts';
import type { BfdAuthentication, BfdKey } from '../../bfd/session-settings.ts';
import { peerPasswordLabel } from '../../cluster/names.ts';
import type { BfdAuthenticationConfig } from '../../config/config.ts';
import type { Secret } from '../../kubernetes/model.ts';

/** The authentication of a BFD session, or why there is none. */
export interface ResolvedAuthentication {
  /** Absent while no usable Secret has been seen. Then the BFD session must not run. */
  readonly authentication?: BfdAuthentication;
  /** The fault of the Secret, in a sentence. */
  readonly warning?: string;
}

const maxKeyId = 255;

/**
 * The keys of BFD sessions, read from Secrets with the label `peerPasswordLabel`. A session never runs without its keys. When a Secret
 * becomes unusable, its sessions keep their last keys, so a Secret deleted by mistake costs no session.
 */
export class BfdKeys {
  readonly #namespace: string;
  readonly #secrets = new Map<string, Secret>();
  /** The last usable keys, by name of the Secret and by the settings that they belong to. */
  readonly #last = new Map<string, BfdAuthentication>();

  /** `namespace` is the namespace of the Secrets. */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  setSecret(name: string, secret: Secret | undefined): void {
    if (secret) this.#secrets.set(name, secret);
    else this.#secrets.delete(name);
  }

  /** Forgets the last keys of all settings that are not in `used`. */
  keepOnly(used: readonly BfdAuthenticationConfig[]): void {
    const keep = new Set(used.map(identityOf));
    for (const identity of this.#last.keys()) if (!keep.has(identity)) this.#last.delete(identity);
  }

  resolve(config: BfdAuthenticationConfig): ResolvedAuthentication {
    const secret = this.#secrets.get(config.keySecret);
    const read = secret ? readKeys(secret, config) : { fault: this.#absence(config.keySecret) };
    const identity = identityOf(config);
    if ('keys' in read) {
      const authentication = { type: config.type, sendKeyId: config.keyId, keys: read.keys };
      this.#last.set(identity, authentication);
      return { authentication };
    }
    const lack = `Secret ${this.#namespace}/${config.keySecret} ${read.fault}`;
    const last = this.#last.get(identity);
    return last
      ? { authentication: last, warning: `${lack}: BFD keeps its last keys` }
      : { warning: `${lack}: BFD does not run` };
  }

  /** The watch does not see a Secret without the label, so the Secret seems not to exist. The text names both causes. */
  #absence(name: string): string {
    const command = `kubectl -n ${this.#namespace} label secret ${name} ${peerPasswordLabel}`;
    return `does not exist or lacks the label ${peerPasswordLabel} (${command})`;
  }
}

function identityOf({ type, keySecret, keyId }: BfdAuthenticationConfig): string {
  return JSON.stringify([type, keySecret, keyId]);
}

/** Reads every key whose name is a key id. Other names may belong to something else, so they are left alone. */
function readKeys(
  { data }: Secret,
  { type, keyId }: BfdAuthenticationConfig,
): { readonly keys: readonly BfdKey[] } | { readonly fault: string } {
  const longest = maxKeyOctets(type);
  const keys: BfdKey[] = [];
  for (const [name, octets] of Object.entries(data)) {
    const id = /^(0|[1-9]\d{0,2})$/.test(name) ? Number(name) : undefined;
    if (id === undefined || id > maxKeyId) continue;
    if (octets.length === 0) return { fault: `is empty at key ${name}` };
    if (octets.length > longest)
      return { fault: `has ${octets.length} octets at key ${name}; ${type} takes at most ${longest}` };
    keys.push({ id, secret: Buffer.from(octets).toString('base64') });
  }
  if (keys.some(({ id }) => id === keyId)) return { keys: keys.sort((a, b) => a.id - b.id) };
  const present = Object.keys(data).sort().join(', ');
  return { fault: `has no key ${keyId}${present === '' ? '' : `, only ${present}`}` };
}
