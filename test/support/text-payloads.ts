import type { PayloadFormat, PayloadRecord } from '../../src/membership/payload.ts';

/** A payload of one text, which is its own key: a length octet and ASCII. */
export function textPayload(text: string): PayloadRecord {
  return {
    kind: 'payload',
    key: text,
    octets: Buffer.from(`${String.fromCharCode(text.length)}${text}`, 'latin1'),
  };
}

export const textPayloads: PayloadFormat = {
  read(bytes, offset) {
    const end = offset + 1 + (bytes[offset] ?? 0);
    return end > bytes.length ? undefined : { key: bytes.toString('latin1', offset + 1, end), end };
  },
};
