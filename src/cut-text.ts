/** The text cut to at most `maxOctets` octets of UTF-8; a cut text ends with an ellipsis. */
export function cutText(text: string, maxOctets: number): string {
  // A UTF-16 unit takes at most three octets.
  if (text.length * 3 <= maxOctets) return text;
  const octets = new TextEncoder().encode(text.slice(0, maxOctets));
  if (octets.length <= maxOctets && text.length <= maxOctets) return text;
  let end = maxOctets - ellipsis.length;
  while (end > 0 && ((octets[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(octets.subarray(0, end)) + ellipsis.text;
}

const ellipsis = { text: ' …', length: 4 } as const;
