import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from '../apiserver/certificate.ts';
import { kubeconfigText } from '../apiserver/kubeconfig.ts';

/** The users with static tokens, and the group of each. `admin` may do everything. The standard roles grant rights to the other users by name. */
const commonGroups = {
  admin: 'system:masters',
  'system:kube-controller-manager': '',
  'system:kube-proxy': '',
  'system:kube-scheduler': '',
} as const;
/** A kubelet is the user `system:node:NODE` of the group `system:nodes`. */
export type User = keyof typeof commonGroups | `system:node:${string}`;

/** The files by which a control plane and its clients identify each other: keys, certificates, tokens and kubeconfigs. */
export class Credentials {
  readonly #folder: string;
  readonly #tokens: ReadonlyMap<string, string>;
  /** The server's certificate, PEM. */
  readonly certificate: string;

  /**
   * Writes the files into the folder. The server's certificate is valid for `addresses`, which are IP addresses. `kubelets` names the nodes that
   * have a kubelet.
   */
  constructor(folder: string, addresses: readonly string[], kubelets: readonly string[]) {
    this.#folder = folder;
    const groups: Readonly<Record<string, string>> = {
      ...commonGroups,
      ...Object.fromEntries(kubelets.map((node) => [`system:node:${node}`, 'system:nodes'])),
    };
    this.#tokens = new Map(Object.keys(groups).map((user) => [user, randomUUID()]));
    mkdirSync(folder, { recursive: true });
    const { key, cert } = selfSigned(...addresses);
    this.certificate = cert;
    const { privateKey, publicKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'sec1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    // The columns of a token file: token, user, uid, groups.
    const rows = Object.entries(groups).map(([user, group]) =>
      [this.#tokens.get(user), user, user, ...(group === '' ? [] : [`"${group}"`])].join(','),
    );
    const files = {
      'api.key': key,
      'api.crt': cert,
      'accounts.key': privateKey,
      'accounts.pub': publicKey,
      'tokens.csv': `${rows.join('\n')}\n`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  }

  path(name: 'api.key' | 'api.crt' | 'accounts.key' | 'accounts.pub' | 'tokens.csv'): string {
    return join(this.#folder, name);
  }

  /**
   * A copy of a ServiceAccount's token, with a lifetime of `lifeSeconds`. TokenRequest does not issue tokens with a lifetime of less than ten
   * minutes. The signature is ES256 (RFC 7518 section 3.4), like that of the server's own tokens.
   */
  reissued(token: string, lifeSeconds: number): string {
    const [header = '', payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as object;
    const now = Math.floor(Date.now() / 1000);
    const body = JSON.stringify({ ...claims, iat: now, nbf: now, exp: now + lifeSeconds });
    const signed = `${header}.${Buffer.from(body).toString('base64url')}`;
    const key = readFileSync(this.path('accounts.key'), 'utf8');
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  /** The path of a kubeconfig for a user of the server at this URL. The first call for a user writes the file. */
  kubeconfig(user: User, url: string): string {
    const path = join(this.#folder, `${user.replaceAll(':', '-')}.kubeconfig`);
    const token = this.#tokens.get(user) ?? '';
    if (!existsSync(path)) writeFileSync(path, kubeconfigText({ url, certificate: this.certificate, token }));
    return path;
  }
}
