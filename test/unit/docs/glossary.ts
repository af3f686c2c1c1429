/** Reads the forbidden words from `docs/glossary.md` and finds their uses in a text. */

export interface ForbiddenWord {
  readonly text: string;
  /** Files and folders, relative to the root, in which the word may be used. */
  readonly allowedIn: readonly string[];
}

/** The words in the last column of each table, in the order of the page. */
export function forbiddenWords(page: string): readonly ForbiddenWord[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('|---'))
    .flatMap((line) => {
      const lastCell = line.split('|').at(-2) ?? '';
      const words = lastCell.matchAll(/`([^`]+)`(?: \(allowed in ((?:`[^`]+`(?: and )?)+)\))?/g);
      return Array.from(words, ([, text = '', allowed = '']) => ({
        text,
        allowedIn: Array.from(allowed.matchAll(/`([^`]+)`/g), ([, folder = '']) => folder),
      }));
    });
}

/** Line numbers, counted from 1, of the uses of a word. */
export function usesOf(word: string, text: string): readonly number[] {
  return Array.from(text.matchAll(pattern(word)), ({ index }) => text.slice(0, index).split('\n').length);
}

function pattern(word: string): RegExp {
  if (/[A-Z#]/.test(word)) return new RegExp(`(?<![\\w$])${word}(?![\\w$])`, 'g');
  // Words of a phrase may stand on two lines of a comment.
  const phrase = word.replaceAll(' ', '[\\s*/]+');
  const capitalised = word[0]?.toUpperCase() + phrase.slice(1);
  // Matches the word alone and as a part of an identifier: doubt, Doubt, doubtDeaths, noDoubt.
  return new RegExp(`(?<![A-Za-z])${phrase}(?![a-z])|${capitalised}(?![a-z])`, 'g');
}
