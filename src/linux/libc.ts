/**
 * The system calls that Node lacks, from the C library through koffi. Only this file and `memory.ts` bind C functions. Other files define
 * the options and lay out the structures that they need.
 *
 * A call that fails throws a SystemError, unless its comment says otherwise. Descriptors are plain numbers. The caller that opens a
 * descriptor closes it.
 */
import { endianness } from 'node:os';
import koffi from 'koffi';

const library = koffi.load('libc.so.6');
const native = {
  socket: library.func('int socket(int domain, int type, int protocol)'),
  close: library.func('int close(int fd)'),
  bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
  send: library.func('intptr_t send(int fd, const void *data, size_t length, int flags)'),
  sendto: library.func(
    'intptr_t sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)',
  ),
  recv: library.func('intptr_t recv(int fd, void *data, size_t length, int flags)'),
  recvfrom: library.func(
    'intptr_t recvfrom(int fd, void *data, size_t length, int flags, void *address, _Inout_ uint32_t *addressLength)',
  ),
  setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  getsockopt: library.func(
    'int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)',
  ),
  ioctl: library.func('int ioctl(int fd, unsigned long request, _Out_ int *value)'),
  sched_setscheduler: library.func('int sched_setscheduler(int pid, int policy, const int *priority)'),
  setrlimit: library.func('int setrlimit(int resource, const uint64_t *limits)'),
  listen: library.func('int listen(int fd, int backlog)'),
  accept4: library.func('int accept4(int fd, void *address, void *length, int flags)'),
  connect: library.func('int connect(int fd, const void *address, uint32_t length)'),
  sendmsg: library.func('intptr_t sendmsg(int fd, const void *message, int flags)'),
  recvmsg: library.func('intptr_t recvmsg(int fd, void *message, int flags)'),
  if_nametoindex: library.func('uint32_t if_nametoindex(const char *name)'),
};

/** `struct sock_fprog`: the number of instructions (2 octets), padding, a pointer to the program. */
const programType = koffi.struct('sock_fprog', { length: 'uint16_t', program: 'const void *' });
const attachFilter = library.func('setsockopt', 'int', [
  'int',
  'int',
  'int',
  koffi.pointer(programType),
  'uint32_t',
]);

/** `getsockopt` for options whose value is an array. The one in `native` is for a single `int`. */
const readOption = library.func(
  'int getsockopt(int fd, int level, int name, void *value, _Inout_ uint32_t *length)',
);

const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x08;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
/**
 * Octets of a control message with one descriptor, without the usual 4 octets of padding at its end. With the padding, a received
 * message could hold a second descriptor.
 */
const rightsOctets = 20;
/** Offsets in `struct msghdr`. */
const controlLengthAt = 40;
const flagsAt = 48;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
/** The option returns an array of counters (linux/sock_diag.h). */
const SO_MEMINFO = 55;
const SK_MEMINFO_DROPS = 8;
const SCHED_FIFO = 1;
const SCHED_RESET_ON_FORK = 0x4000_0000;
const RLIMIT_RTTIME = 15;
/** Octets of one instruction of a classic BPF program. */
const instructionOctets = 8;

/** Whether integers in the kernel's structures are little-endian. */
export const isLittleEndian = endianness() === 'LE';

/** A call failed. `code` is the name of the errno, such as `ECONNREFUSED`. */
export class SystemError extends Error {
  readonly code: string;

  constructor(call: string, code = errnoName()) {
    super(`${call}: ${code}`);
    this.name = 'SystemError';
    this.code = code;
  }
}

/** Opens a socket. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return checked('socket', native.socket(domain, type, protocol));
}

/** Closes a descriptor. Ignores a failure. */
export function closeDescriptor(fd: number): void {
  native.close(fd);
}

/** Binds the socket to a `struct sockaddr` of its family. */
export function bindSocket(fd: number, address: Uint8Array): void {
  checked('bind', native.bind(fd, address, address.length));
}

export function send(fd: number, octets: Uint8Array): void {
  checked('send', Number(native.send(fd, octets, octets.length, 0)));
}

/** Sends one datagram to a `struct sockaddr` of the socket's family. */
export function sendTo(fd: number, octets: Uint8Array, address: Uint8Array): void {
  checked('sendto', Number(native.sendto(fd, octets, octets.length, 0, address, address.length)));
}

/**
 * Receives into the buffer and returns the number of octets; 0 at the end of a stream. On failure it returns the name of the errno,
 * such as `EAGAIN` when nothing has arrived. With `wait` it blocks the thread until something arrives.
 */
export function receive(fd: number, into: Uint8Array, wait = false): number | string {
  const length = Number(native.recv(fd, into, into.length, wait ? 0 : MSG_DONTWAIT));
  return length >= 0 ? length : errnoName();
}

/** As `receive` without `wait`, and stores the sender's `struct sockaddr` in `address`. */
export function receiveFrom(fd: number, into: Uint8Array, address: Uint8Array): number | string {
  const length = Number(native.recvfrom(fd, into, into.length, MSG_DONTWAIT, address, [address.length]));
  return length >= 0 ? length : errnoName();
}

/** Makes a bound socket accept connections. */
export function listenOn(fd: number, backlog: number): void {
  checked('listen', native.listen(fd, backlog));
}

/** Takes the next connection of a listening socket. On failure it returns the name of the errno. */
export function acceptConnection(fd: number): number | string {
  const accepted = native.accept4(fd, null, null, SOCK_CLOEXEC);
  return accepted >= 0 ? accepted : errnoName();
}

/**
 * Connects the socket to a `struct sockaddr` of its family. While the listener's queue is full, a socket of AF_UNIX waits, or fails with EAGAIN
 * if it does not block (connect(2)).
 */
export function connectSocket(fd: number, address: Uint8Array): void {
  checked('connect', native.connect(fd, address, address.length));
}

/**
 * Sends one message without waiting, and with it a descriptor if one is given (SCM_RIGHTS, unix(7)). The error has the code EAGAIN while there
 * is no room for the message.
 */
export function sendMessage(fd: number, octets: Uint8Array, descriptor?: number): void {
  const control = descriptor === undefined ? undefined : rightsOf(descriptor);
  const header = messageHeader(octets, control);
  const send = () => Number(native.sendmsg(fd, header.octets, MSG_NOSIGNAL | MSG_DONTWAIT));
  checked('sendmsg', holding([octets, control], send));
}

/** A received message. */
export interface ReceivedMessage {
  readonly length: number;
  /** The message did not fit into the buffer, or carried more than one descriptor. */
  readonly isTruncated: boolean;
  /** A descriptor that came with the message. The caller closes it. */
  readonly descriptor?: number;
}

/** Receives one message into the buffer without waiting. On failure it returns the name of the errno. */
export function receiveMessage(fd: number, into: Uint8Array): ReceivedMessage | string {
  const control = new Uint8Array(new ArrayBuffer(rightsOctets));
  const header = messageHeader(into, control);
  const receive = () => Number(native.recvmsg(fd, header.octets, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  const length = holding([into, control], receive);
  if (length < 0) return errnoName();
  const descriptor = descriptorIn(control, header.view.getBigUint64(controlLengthAt, isLittleEndian));
  return {
    length,
    isTruncated: (header.view.getInt32(flagsAt, isLittleEndian) & (MSG_TRUNC | MSG_CTRUNC)) !== 0,
    ...(descriptor === undefined ? {} : { descriptor }),
  };
}

/** The user of the process at the other end of a socket of AF_UNIX; `undefined` when the kernel does not say. */
export function userOfPeer(fd: number): number | undefined {
  // struct ucred: process id, user id, group id.
  const credentials = new Uint32Array(3);
  const length = [credentials.byteLength];
  return readOption(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) === 0 ? credentials[1] : undefined;
}

/** Memory to which only an address in a header points. The garbage collector must not free it during the call. */
const held = new Set<unknown>();

function holding<T>(memory: readonly unknown[], call: () => T): T {
  held.add(memory);
  try {
    return call();
  } finally {
    held.delete(memory);
  }
}

/**
 * `struct msghdr` of a 64-bit Linux, with its one `struct iovec` behind it:
 *
 *    0      8             16    24            32        40              48      56     64
 *   | name | name length | iov | iov length 1 | control | control length | flags | data | data length |
 */
function messageHeader(
  data: Uint8Array,
  control: Uint8Array | undefined,
): { readonly octets: Uint8Array; readonly view: DataView } {
  // Memory of an ArrayBuffer does not move, so the pointers stay valid.
  const octets = new Uint8Array(new ArrayBuffer(72));
  const view = new DataView(octets.buffer);
  const set = (at: number, value: bigint) => view.setBigUint64(at, value, isLittleEndian);
  set(16, koffi.address(octets) + 56n);
  set(24, 1n);
  if (control) {
    set(32, koffi.address(control));
    set(controlLengthAt, BigInt(control.length));
  }
  set(56, koffi.address(data));
  set(64, BigInt(data.length));
  return { octets, view };
}

/** `struct cmsghdr` with one descriptor: `length 8 | level 4 | type 4 | descriptor 4`. */
function rightsOf(descriptor: number): Uint8Array {
  const octets = new Uint8Array(new ArrayBuffer(rightsOctets));
  const view = new DataView(octets.buffer);
  view.setBigUint64(0, BigInt(rightsOctets), isLittleEndian);
  view.setInt32(8, SOL_SOCKET, isLittleEndian);
  view.setInt32(12, SCM_RIGHTS, isLittleEndian);
  view.setInt32(16, descriptor, isLittleEndian);
  return octets;
}

function descriptorIn(control: Uint8Array, length: bigint): number | undefined {
  if (length < BigInt(rightsOctets)) return undefined;
  const view = new DataView(control.buffer);
  const isRights =
    view.getInt32(8, isLittleEndian) === SOL_SOCKET && view.getInt32(12, isLittleEndian) === SCM_RIGHTS;
  return isRights ? view.getInt32(16, isLittleEndian) : undefined;
}

/** Sets a socket option; `label` names it in the error. */
export function setOption(fd: number, label: string, level: number, name: number, value: Uint8Array): void {
  checked(`setsockopt ${label}`, native.setsockopt(fd, level, name, value, value.length));
}

/** Sets a socket option whose value is an `int`. */
export function setIntegerOption(
  fd: number,
  label: string,
  level: number,
  name: number,
  value: number,
): void {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setInt32(0, value, isLittleEndian);
  setOption(fd, label, level, name, octets);
}

/** The value of a socket option that is an `int`; `undefined` when the descriptor is not a socket or lacks the option. */
export function integerOption(fd: number, level: number, name: number): number | undefined {
  const value = [0];
  return native.getsockopt(fd, level, name, value, [4]) === 0 ? value[0] : undefined;
}

/** Datagrams that the kernel dropped at this socket because its filter refused them or its queue was full; 0 when the kernel does not say. */
export function droppedDatagrams(fd: number): number {
  const values = new Uint32Array(16);
  if (readOption(fd, SOL_SOCKET, SO_MEMINFO, values, [values.byteLength]) !== 0) return 0;
  return values[SK_MEMINFO_DROPS] ?? 0;
}

/** Attaches a classic BPF program of 8-octet instructions. The kernel drops the packets for which the program returns 0. */
export function attachSocketFilter(fd: number, program: Uint8Array): void {
  const value = { length: program.length / instructionOctets, program };
  checked(
    'setsockopt SO_ATTACH_FILTER',
    attachFilter(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, koffi.sizeof(programType)),
  );
}

/** Removes the program of `attachSocketFilter`, if the socket has one. */
export function detachSocketFilter(fd: number): void {
  try {
    setIntegerOption(fd, 'SO_DETACH_FILTER', SOL_SOCKET, SO_DETACH_FILTER, 0);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === 'ENOENT')) throw error;
  }
}

/** The `int` that an ioctl request returns; `undefined` when the request fails. */
export function requestInteger(fd: number, request: number): number | undefined {
  const value = [0];
  return native.ioctl(fd, request, value) < 0 ? undefined : value[0];
}

/**
 * Lets the calling thread run before every thread with a normal policy. Threads that it starts later do not inherit this.
 */
export function scheduleFifo(priority: number): void {
  checked('sched_setscheduler', native.sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, [priority]));
}

/**
 * Limits the CPU time that a thread with a real-time policy may use without a pause. When a thread exceeds the limit, the kernel ends the
 * process with SIGKILL. A call that blocks counts as a pause.
 */
export function limitRealtimeCpu(microseconds: number): void {
  checked('setrlimit RLIMIT_RTTIME', native.setrlimit(RLIMIT_RTTIME, [microseconds, microseconds]));
}

/** The index of the network interface with this name; 0 when it does not exist. */
export function interfaceIndex(name: string): number {
  return native.if_nametoindex(name);
}

/** Calls back whenever the descriptor can be read, until the returned function is called. Does not keep the process alive. */
export function onReadable(fd: number, callback: () => void): () => void {
  const poll = koffi.node.poll(fd, { readable: true }, callback);
  poll.unref();
  return () => poll.close();
}

function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call);
  return result;
}

/** The name of each errno. Some errnos have two names. The first one counts. */
const errnoNames = new Map(
  Object.entries(koffi.os.errno)
    .reverse()
    .map(([name, value]) => [value, name]),
);

/** The name of the last call's errno. */
function errnoName(): string {
  const errno = koffi.errno();
  return errnoNames.get(errno) ?? `errno ${errno}`;
}
