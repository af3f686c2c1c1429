import { StringDecoder } from 'node:string_decoder';

/**
 * The JSON values of a stream that holds one on each line. Lines end at LF only: Node's readline also splits at U+2028, which may
 * stand in a JSON string. What follows the last LF is an event cut off half way, and is dropped: the watch is resumed before it.
 */
export async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
}
