import { isUtf8 } from 'node:buffer';
import { formatIp } from '../../address/index.ts';
import { describeMissingKey } from '../../cluster/missing-key.ts';
import { peerPasswordLabel } from '../../cluster/names.ts';
import type { Secret } from '../../kubernetes/model.ts';
import { maxPasswordOctets } from '../../linux/limits.ts';
import type { IdentifiedPeer } from './peer-identities.ts';

/** The password with which a peer's session runs. */
export interface PeerPassword {
  /** Absent when no password is configured, or while the Secret is unusable and no earlier password is known. */
  readonly password?: string;
  /** Why the session must not start yet, in a sentence. */
  readonly waitingFor?: string;
  /** The fault of the Secret while the session runs with an earlier password, in a sentence. */
  readonly warning?: string;
}

/** A password that was usable once. `source` names the peer's address, the Secret, and the key in the data of the Secret. */
interface LastPassword {
  readonly source: string;
  readonly password: string;
}

/**
 * TCP MD5 passwords of peers, read from Secrets (`password-secret`) with the label `peerPasswordLabel`. A session waits until its peer's
 * Secret is usable for the first time, and never connects without the password. When the Secret disappears, the session keeps its last
 * password, so a Secret deleted by mistake costs no routes.
 */
export class PeerPasswords {
  readonly #namespace: string;
  readonly #secrets = new Map<string, Secret>();
  /** By id of the peer. */
  readonly #last = new Map<string, LastPassword>();

  /** `namespace` is the namespace of the Secrets. */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  setSecret(name: string, secret: Secret | undefined): void {
    if (secret) this.#secrets.set(name, secret);
    else this.#secrets.delete(name);
  }

  /** Resolves the passwords of all configured peers, in order. Passwords of other peers are forgotten. */
  resolve(peers: readonly IdentifiedPeer[]): PeerPassword[] {
    const configured = new Set(peers.map(({ id }) => id));
    for (const id of this.#last.keys()) if (!configured.has(id)) this.#last.delete(id);
    return peers.map((peer) => this.#passwordOf(peer));
  }

  #passwordOf({ id, config }: IdentifiedPeer): PeerPassword {
    if (!config.passwordSecret) return config.password === undefined ? {} : { password: config.password };
    const { name, key } = config.passwordSecret;
    const source = JSON.stringify([formatIp(config.address), name, key]);
    const secret = this.#secrets.get(name);
    const fault = secret ? secretFault(secret, key) : this.#absence(name);
    if (fault === undefined) {
      const password = new TextDecoder().decode(secret?.data[key]);
      this.#last.set(id, { source, password });
      return { password };
    }
    const lack = `Secret ${this.#namespace}/${name} ${fault}`;
    const last = this.#last.get(id);
    return last?.source === source
      ? { password: last.password, warning: `${lack}: the session keeps its last password` }
      : { waitingFor: `${lack}: the session waits for its password` };
  }

  /** The watch does not see a Secret without the label, so the Secret seems not to exist. The text names both causes. */
  #absence(name: string): string {
    const command = `kubectl -n ${this.#namespace} label secret ${name} ${peerPasswordLabel}`;
    return `does not exist or lacks the label ${peerPasswordLabel} (${command})`;
  }
}

/** Why the Secret holds no usable password at the key. */
function secretFault(secret: Secret, key: string): string | undefined {
  const value = secret.data[key];
  if (value === undefined) return describeMissingKey(key, secret.data);
  if (value.length === 0) return `is empty at key ${key}`;
  if (value.length > maxPasswordOctets) return `has more than ${maxPasswordOctets} octets at key ${key}`;
  return isUtf8(value) ? undefined : `has no UTF-8 text at key ${key}`;
}
