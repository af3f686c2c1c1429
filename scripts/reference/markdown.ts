/** Markdown that the reference pages are made of. */

const generatedNotice =
  '<!-- Made from the code by `make docs`. Edit the code, or scripts/reference, instead of this page. -->';

export function code(text: string): string {
  return `\`${text}\``;
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('  |', ' |');
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** A page from its blocks, which stand one empty line apart. */
export function page(title: string, ...blocks: readonly string[]): string {
  return `${[`# ${title}`, generatedNotice, ...blocks].join('\n\n')}\n`;
}
