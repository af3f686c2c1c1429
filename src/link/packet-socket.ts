/**
 * The packet(7) socket beneath a libpcap session. libpcap notices that it should end only when it takes a frame, and a link
 * that is down or gone has none: so the socket is turned to the loopback interface, and a frame is sent there. Without this
 * each lost capture would keep its descriptor and its ring for ever.
 */
import { readdirSync } from 'node:fs';
import { endianness } from 'node:os';
import koffi from 'koffi';
import { ethernetHeaderLength, etherType } from './frame.ts';

const libc = koffi.load('libc.so.6');
const nativeSocket = libc.func('int socket(int domain, int type, int protocol)');
const nativeGetsockopt = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)',
);
const nativeSetsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const nativeBind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const nativeSendto = libc.func(
  'intptr_t sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)',
);
const nativeClose = libc.func('int close(int fd)');

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const SOL_SOCKET = 1;
const SO_DETACH_FILTER = 27;
const SO_DOMAIN = 39;
const ETH_P_ALL = 0x0003;
/** The kernel gives it to every network namespace's loopback, first of all. */
const loopbackIndex = 1;

/** Runs `open` and tells which packet socket it left open; -1 when it left none. */
export function openingPacketSocket<T>(open: () => T): [opened: T, fd: number] {
  const before = new Set(descriptors());
  const opened = open();
  const fd = descriptors().find((candidate) => !before.has(candidate) && isPacketSocket(candidate));
  return [opened, fd ?? -1];
}

/** Turns the socket to loopback, takes its filter off, and sends a frame there: whoever reads the socket gets it. */
export function wakePacketSocket(fd: number): void {
  const loopback = linkAddress(ETH_P_ALL);
  if (fd < 0 || nativeSetsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, new Uint8Array(4), 4) < 0) return;
  if (nativeBind(fd, loopback, loopback.length) < 0) return;
  const sender: number = nativeSocket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  if (sender < 0) return;
  const frame = Buffer.alloc(ethernetHeaderLength + 28);
  frame.writeUInt16BE(etherType.arp, 12);
  const destination = linkAddress(etherType.arp);
  nativeSendto(sender, frame, frame.length, 0, destination, destination.length);
  nativeClose(sender);
}

/** `struct sockaddr_ll`: `family 2 | protocol 2, network order | index 4 | …`, 20 octets. */
function linkAddress(protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  const little = endianness() === 'LE';
  view.setUint16(0, AF_PACKET, little);
  view.setUint16(2, protocol, false);
  view.setInt32(4, loopbackIndex, little);
  return address;
}

function descriptors(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}

function isPacketSocket(fd: number): boolean {
  const domain = [0];
  return nativeGetsockopt(fd, SOL_SOCKET, SO_DOMAIN, domain, [4]) === 0 && domain[0] === AF_PACKET;
}
