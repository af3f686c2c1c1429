/** The largest number of milliseconds that a Date holds (ECMAScript, Time Values). */
const maxTimeMs = 8.64e15;

/**
 * The time at which a ServiceAccount's token expires, in milliseconds since 1970. The claim `exp` gives it in seconds (RFC 7519 section 4.1.4).
 * `undefined` for a token that is not a JWT or does not expire. The signature is not checked.
 */
export function tokenExpiryMs(token: string): number | undefined {
  const [, payload = ''] = token.split('.');
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return undefined;
  const expiryMs = Number(claims.exp) * 1000;
  return typeof claims.exp === 'number' && Math.abs(expiryMs) <= maxTimeMs ? expiryMs : undefined;
}
