/**
 * Entries of a tar archive (ustar, POSIX.1-1988). Pure. The fields of the header, as `offset: name length`. A field whose content is
 * fixed has this content in place of a name:
 *
 *   offset  0: name 100   100: mode 8   108: uid 8   116: gid 8   124: size 12   136: mtime 12   148: checksum 8   156: type 1
 *   offset 157: linkname 100   257: "ustar" and NUL 6   263: "00" 2   345: prefix 155   500: padding 12
 *
 * Offsets and lengths are in octets. Numbers are octal digits. The checksum is the sum of all octets of the header, with eight spaces in the place of
 * the checksum.
 */
const blockOctets = 512;
const maxNameOctets = 100;

/** A file with its header, padded to whole blocks. Throws when the name is longer than 100 octets, which is a bug. */
export function tarEntry(name: string, content: Buffer, epochSeconds: number): Buffer {
  if (Buffer.byteLength(name) > maxNameOctets)
    throw new Error(`the name ${name} is too long for the archive`);
  const header = Buffer.alloc(blockOctets);
  const write = (text: string, offset: number) => header.write(text, offset, 'utf8');
  const octal = (value: number, digits: number) => Math.floor(value).toString(8).padStart(digits, '0');
  write(name, 0);
  write(octal(0o600, 7), 100);
  write(octal(0, 7), 108);
  write(octal(0, 7), 116);
  write(octal(content.length, 11), 124);
  write(octal(epochSeconds, 11), 136);
  write(' '.repeat(8), 148);
  write('0', 156);
  write('ustar', 257);
  write('00', 263);
  const sum = header.reduce((total, octet) => total + octet, 0);
  write(`${octal(sum, 6)}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc(-content.length & (blockOctets - 1))]);
}

/** Two empty blocks end an archive. */
export const tarEnd = Buffer.alloc(2 * blockOctets);
