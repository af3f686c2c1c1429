import type { Api } from './api.ts';

/** Asks for a short-lived token of a ServiceAccount for one audience (TokenRequest). Rejects with ApiError. */
export async function requestToken(
  client: Api,
  namespace: string,
  serviceAccount: string,
  audience: string,
): Promise<string> {
  const { status } = await client.request<{ readonly status?: { readonly token?: string } }>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      // The shortest life that the API server accepts.
      spec: { audiences: [audience], expirationSeconds: 600 },
    },
  });
  if (typeof status?.token !== 'string') throw new Error('the API server issued no token');
  return status.token;
}
