/**
 * Turns text from another host into one line that is safe in a log, a metric label and a terminal. Characters of the Unicode categories
 * Cc (controls, escape sequences), Cf (among them the bidirectional overrides), Zl and Zp (line and paragraph separators) and lone
 * surrogates become spaces. Surrounding white space is removed. Text longer than `maxCharacters` is cut and ends in `…`.
 */
export function printable(text: string, maxCharacters: number): string {
  // A character takes at most two code units. Text after this slice is never shown, so it need not be cleaned.
  const clean = text
    .trimStart()
    .slice(0, 2 * maxCharacters + 2)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ')
    .trim();
  const characters = [...clean];
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters).join('')}…` : clean;
}
