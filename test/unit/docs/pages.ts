/** The Markdown pages of the repository, with the parts that the tests of this folder check. */
import { globSync, readFileSync } from 'node:fs';

export const root = new URL('../../../', import.meta.url);

export function read(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** Paths of all pages, relative to the root. */
export const pages: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: root }),
].sort();

/** A fenced block of a page. */
export interface CodeBlock {
  /** The word after the fence: `yaml`, `sh`, `console`, or empty. */
  readonly language: string;
  readonly text: string;
  /** Line of the opening fence, counted from 1. */
  readonly line: number;
}

export function codeBlocks(page: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [index, text] of page.split('\n').entries()) {
    const fence = /^```(\S*)/.exec(text);
    if (fence === null) open?.lines.push(text);
    else if (open === undefined) open = { language: fence[1] ?? '', line: index + 1, lines: [] };
    else {
      blocks.push({ language: open.language, line: open.line, text: open.lines.join('\n') });
      open = undefined;
    }
  }
  return blocks;
}

/** The page with its fenced blocks replaced by empty lines, so that the other lines keep their numbers. */
export function prose(page: string): string {
  let fenced = false;
  return page
    .split('\n')
    .map((line) => {
      if (!line.startsWith('```')) return fenced ? '' : line;
      fenced = !fenced;
      return '';
    })
    .join('\n');
}

/** The anchors that GitHub makes for the headings of a page. */
export function anchors(page: string): ReadonlySet<string> {
  const headings = prose(page).matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
