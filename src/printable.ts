const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** A character that `printable` keeps and that is not white space. */
const visible = /[^\s\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * Turns text from another host into one line that is safe in a log, a metric label and a terminal. Characters of the Unicode categories
 * Cc (controls, escape sequences), Cf (among them the bidirectional overrides), Zl and Zp (line and paragraph separators) and lone
 * surrogates become spaces. Surrounding white space is removed. Text longer than `maxCharacters` is cut and ends in `…`.
 */
export function printable(text: string, maxCharacters: number): string {
  const start = text.search(visible);
  if (start < 0) return '';
  // A character takes at most two code units. Text after this slice is never shown.
  const shown = [...text.slice(start, start + 2 * maxCharacters + 2)].slice(0, maxCharacters).join('');
  const clean = shown.replace(unsafe, ' ').trimEnd();
  return visible.test(text.slice(start + shown.length)) ? `${clean}…` : clean;
}
