/** Diagnostic codes (RFC 5880 section 4.1): the reason for the last change of a session's state. */
export const diagnostic = {
  none: 0,
  controlDetectionTimeExpired: 1,
  echoFunctionFailed: 2,
  neighborSignaledSessionDown: 3,
  forwardingPlaneReset: 4,
  pathDown: 5,
  concatenatedPathDown: 6,
  administrativelyDown: 7,
  reverseConcatenatedPathDown: 8,
} as const;

const texts: readonly string[] = [
  'no diagnostic',
  'control detection time expired',
  'echo function failed',
  'neighbor signaled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
];

/** The name of a diagnostic code, as the RFC spells it. Codes 9 to 31 are reserved. */
export function diagnosticText(code: number): string {
  return texts[code] ?? `reserved diagnostic ${code}`;
}
