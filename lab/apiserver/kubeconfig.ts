export interface KubeconfigOptions {
  readonly url: string;
  /** PEM of the certificate that the server shows. */
  readonly certificate?: string;
  readonly token?: string;
}

/** The text of a kubeconfig file (JSON is YAML) with one cluster, one user, one context. */
export function kubeconfigText({ url, certificate, token }: KubeconfigOptions): string {
  const trust =
    certificate === undefined
      ? // Plain HTTP: @kubernetes/client-node wants it said that there is no TLS to verify.
        { 'insecure-skip-tls-verify': true }
      : { 'certificate-authority-data': Buffer.from(certificate).toString('base64') };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server: url, ...trust } }],
    users: [{ name: 'lab', user: token === undefined ? {} : { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    'current-context': 'lab',
  };
  return JSON.stringify(kubeconfig, null, 2);
}
