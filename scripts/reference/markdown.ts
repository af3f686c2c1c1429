/** Functions that write the Markdown of the reference pages. */

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

/** Makes a page of blocks, with an empty line between two blocks. */
export function page(title: string, ...blocks: readonly string[]): string {
  return `${[`# ${title}`, generatedNotice, ...blocks].join('\n\n')}\n`;
}
