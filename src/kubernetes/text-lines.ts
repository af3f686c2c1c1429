import { StringDecoder } from 'node:string_decoder';
import { UnusableResponse } from './api-error.ts';

/**
 * The lines of a watch stream, without empty ones. A line ends only at LF. Node's readline is not used because it also splits at U+2028,
 * which may occur inside a JSON string. A last line without LF is an event that was cut off. This line is dropped, and the watch resumes
 * before that event. Throws {@link UnusableResponse} when a chunk ends in an unfinished line of more than `maxLength` octets.
 */
export async function* textLines(chunks: AsyncIterable<Buffer>, maxLength: number): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  /** The start of the current line, in pieces. To join the pieces at each chunk would take quadratic time. */
  let pieces: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lf); end >= 0; end = chunk.indexOf(lf, start)) {
      pieces.push(decoder.write(chunk.subarray(start, end)));
      const line = pieces.join('');
      pieces = [];
      length = 0;
      start = end + 1;
      if (line.trim() !== '') yield line;
    }
    length += chunk.length - start;
    if (length > maxLength)
      throw new UnusableResponse(200, `a line of the watch is longer than ${maxLength} octets`);
    pieces.push(decoder.write(chunk.subarray(start)));
  }
}

const lf = 0x0a;
