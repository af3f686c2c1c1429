/** An error in a received message, in the form of the NOTIFICATION that reports it (RFC 4271 section 4.5). */
export interface BgpError {
  readonly code: number;
  readonly subcode: number;
  /** The data that the RFC asks for with this error, usually the offending octets. */
  readonly data: Uint8Array;
  /** Describes the error to operators. It is not sent. */
  readonly text: string;
}

/** RFC 4271 section 6.1. */
export const HeaderSubcode = { notSynchronized: 1, badLength: 2, badType: 3 } as const;

/** RFC 4271 section 6.2, and RFC 9234 section 4.2. */
export const OpenSubcode = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badIdentifier: 3,
  unsupportedParameter: 4,
  unacceptableHoldTime: 6,
  roleMismatch: 11,
} as const;

/** RFC 4271 section 6.3. */
export const UpdateSubcode = {
  malformedList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  flags: 4,
  length: 5,
  origin: 6,
  nextHop: 8,
  optional: 9,
  network: 10,
  asPath: 11,
} as const;

/** Our NOTIFICATIONs stay within 4096 octets, so that every peer accepts them, with or without extended messages (RFC 8654). */
const longestData = 4096 - 21;
const none: Uint8Array = new Uint8Array(0);

/** Message Header Error. */
export function headerError(subcode: number, text: string, data = none): BgpError {
  return { code: 1, subcode, data: data.slice(0, longestData), text };
}

/** OPEN Message Error. */
export function openError(subcode: number, text: string, data = none): BgpError {
  return { code: 2, subcode, data: data.slice(0, longestData), text };
}

/** UPDATE Message Error. */
export function updateError(subcode: number, text: string, data = none): BgpError {
  return { code: 3, subcode, data: data.slice(0, longestData), text };
}

/** ROUTE-REFRESH Message Error / Invalid Message Length (RFC 7313 section 5); the data is the whole message. */
export function routeRefreshError(text: string, frame: Uint8Array): BgpError {
  return { code: 7, subcode: 1, data: frame.slice(0, longestData), text };
}
