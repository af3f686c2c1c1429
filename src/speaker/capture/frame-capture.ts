/**
 * Captures the control traffic of addresses and peers on this node, as a pcapng file: ARP, Neighbour Discovery, BGP and BFD, and no traffic of
 * Services. The speaker makes the filter itself, so a client cannot capture anything else. A capture is bounded in time, frames and octets,
 * and there is only one at a time.
 */
import { createSocket } from 'node:dgram';
import { formatIp, type IpAddress, parseIp } from '../../address/index.ts';
import { systemInterfaces } from '../../bgp/index.ts';
import type { Clock } from '../../clock.ts';
import type { Config, PeerConfig } from '../../config/config.ts';
import { poolIndexOf } from '../../config/pool-index.ts';
import type { Capture, CaptureOptions, OpenCapture } from '../../link/capture.ts';
import { peerFilter, resolutionFilter } from '../../link/capture-filter.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../link/pcapng.ts';
import { fail, ok, type Result, reasonOf } from '../../result.ts';
import type { CaptureReply } from '../../telemetry/http-server.ts';
import { type CaptureInterface, interfacesOfAddress, interfaceWith, maxInterfaces } from './interfaces.ts';
import { type CaptureRequest, readCaptureRequest } from './request.ts';

export interface FrameCaptureOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  /** The configuration in force. */
  readonly config: () => Config | undefined;
  /** Loads the code of libpcap when the first capture begins. */
  readonly opener: () => Promise<OpenCapture>;
}

/** With segmentation offload, a captured frame of BGP may be longer than the MTU. */
const snapLength = 65_535;
const maxOctets = 8 * 2 ** 20;
const bufferBytes = 2 ** 20;

/** A filter for some interfaces. */
interface Watched {
  readonly filter: string;
  readonly interfaces: readonly string[];
}

export class FrameCapture {
  readonly #options: FrameCaptureOptions;
  #isRunning = false;

  constructor(options: FrameCaptureOptions) {
    this.#options = options;
  }

  /** Serves a request. Ends early when the signal aborts. */
  async serve(query: URLSearchParams, signal: AbortSignal): Promise<CaptureReply> {
    const request = readCaptureRequest(query);
    if (!request.ok) return { status: 400, reason: request.error };
    if (this.#isRunning)
      return { status: 429, reason: 'another capture runs on this node; try again when it has ended' };
    this.#isRunning = true;
    try {
      const watched = await this.#watched(request.value);
      if (!watched.ok) return { status: 404, reason: watched.error };
      const file = await this.#run(request.value, watched.value, signal);
      return file.ok ? { status: 200, file: file.value } : { status: 503, reason: file.error };
    } finally {
      this.#isRunning = false;
    }
  }

  async #watched({ addresses, peers }: CaptureRequest): Promise<Result<readonly Watched[], string>> {
    const config = this.#options.config();
    const all = systemInterfaces().map((each) => ({ ...each, subnets: each.subnets ?? [] }));
    const watched: Watched[] = addresses.flatMap((address) => {
      const interfaces = interfacesOfAddress(address, all, namedInterfaces(config, address));
      return interfaces.length === 0 ? [] : [{ filter: resolutionFilter(address), interfaces }];
    });
    for (const name of peers) {
      const peer = config?.peers.find((each) => each.name === name);
      if (!peer)
        return fail(`the configuration of this node has no peer ${JSON.stringify(name.slice(0, 64))}`);
      const found = await interfaceOf(peer, all);
      if (found === undefined)
        return fail(`no interface of this node leads to the peer ${name} (${formatIp(peer.address)})`);
      watched.push({ filter: peerFilter(peer.address, peer.port), interfaces: [found] });
    }
    if (watched.length === 0)
      return fail(`no interface of this node has a subnet with ${addresses.map(formatIp).join(', ')}`);
    return ok(watched);
  }

  async #run(
    { seconds, frames }: CaptureRequest,
    watched: readonly Watched[],
    signal: AbortSignal,
  ): Promise<Result<Buffer, string>> {
    const { nodeName, clock, opener } = this.#options;
    const open = await opener();
    const all = [...new Set(watched.flatMap(({ interfaces }) => interfaces))];
    const [names, others] = [all.slice(0, maxInterfaces), all.slice(maxInterfaces)];
    const without = others.length === 0 ? '' : `, without the interfaces ${others.join(', ')}`;
    const blocks = [
      sectionHeader(`bellman on ${nodeName}${without}`),
      ...names.map((name) => interfaceDescription(`${nodeName}/${name}`, snapLength)),
    ];
    const captures: Capture[] = [];
    let octets = 0;
    let count = 0;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const timer = clock.after(seconds * 1000, end);
    signal.addEventListener('abort', () => end());
    try {
      for (const [index, name] of names.entries()) {
        const filters = watched
          .filter(({ interfaces }) => interfaces.includes(name))
          .map(({ filter }) => filter);
        const capture = openNamed(open, {
          ...{ interface: name, filter: filters.join(' or '), clock, snapLength, bufferBytes },
          onFrame: (frame, length, ageMs) => {
            if (count >= frames || octets + length > maxOctets) return end();
            count++;
            octets += length;
            blocks.push(enhancedPacket(index, clock.epochMs() - ageMs, frame.subarray(0, length)));
            if (count === frames) end();
          },
          // The loss of one interface does not end the capture on the others.
          onLost: () => {},
        });
        if (!capture.ok) return capture;
        captures.push(capture.value);
      }
      if (!signal.aborted) await ended;
    } finally {
      timer.cancel();
      for (const capture of captures) capture.close();
    }
    return ok(Buffer.concat(blocks));
  }
}

function openNamed(open: OpenCapture, options: CaptureOptions): Result<Capture, string> {
  try {
    return ok(open(options));
  } catch (error) {
    return fail(`this node cannot capture on ${options.interface}: ${reasonOf(error)}`);
  }
}

function namedInterfaces(config: Config | undefined, address: IpAddress): readonly string[] {
  const pool = config && poolIndexOf(config).poolOf(address);
  return pool?.l2Advertisements.flatMap(({ interfaces }) => interfaces) ?? [];
}

async function interfaceOf(peer: PeerConfig, all: readonly CaptureInterface[]): Promise<string | undefined> {
  if (peer.interface !== undefined) return peer.interface;
  const own = peer.sourceAddress ?? (await sourceTowards(peer.address, peer.port));
  return own && interfaceWith(own, all);
}

/** The source address that the kernel chooses for packets to `address`; `undefined` without a route. Connecting a UDP socket sends no packet. */
function sourceTowards(address: IpAddress, port: number): Promise<IpAddress | undefined> {
  const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
  return new Promise((resolve) => {
    const done = (own: IpAddress | undefined) => {
      socket.close();
      resolve(own);
    };
    socket.once('error', () => done(undefined));
    socket.connect(port, formatIp(address), () => done(parseIp(socket.address().address)));
  });
}
