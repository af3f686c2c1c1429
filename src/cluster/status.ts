/**
 * The JSON that a speaker and the controller serve at `/status`, and its decoders. The daemons use the types. The commands and the page use
 * the decoders.
 *
 * The format only grows: a field is never removed and never changes its meaning, so every version of a command reads every version
 * of a daemon. A change that breaks this rule raises {@link statusVersion}.
 *
 * Texts in a status come from another host. The decoders reduce each text to one line of bounded length, without control, format or
 * separator characters. The text is then safe to print.
 */

import * as z from 'zod';
import { familyOfText } from '../address/index.ts';
import { printable } from '../printable.ts';
import { fail, ok, type Result } from '../result.ts';

/** Version of the format. A status of an older release may have no version, which counts as 0. */
export const statusVersion = 1;

const maxTextCharacters = 1024;

const text = z.string().transform((value) => printable(value, maxTextCharacters));
const texts = z.array(text);
const version = z.number().int().max(statusVersion, 'is newer than this program').default(0);

/** Why a speaker does not announce an address. */
export const refusalCauses = [
  'no-protocol',
  'adopt-only',
  'no-endpoint',
  'no-local-endpoint',
  'announce-delay',
  'node',
  'leaving',
  'not-selected',
  'no-peer',
] as const;
export type RefusalCause = (typeof refusalCauses)[number];

/** The values that one end announces in its packets. */
const bfdEnd = z.object({
  desiredTransmitIntervalMs: z.number(),
  requiredReceiveIntervalMs: z.number(),
  detectMultiplier: z.number(),
});

/** The BFD session with a peer (RFC 5880). Its states and diagnostics have the RFC's names. */
const peerBfd = z.object({
  state: text,
  /** The state in the last packet of the peer. */
  remoteState: text,
  /** Time of the last change of state, RFC 3339. */
  since: text,
  diagnostic: text,
  remoteDiagnostic: text,
  localDiscriminator: z.number(),
  /** 0 while it is unknown. */
  remoteDiscriminator: z.number(),
  /** As negotiated. */
  transmitIntervalMs: z.number(),
  /** 0 until the peer has sent a packet. */
  detectionTimeMs: z.number(),
  local: bfdEnd,
  remote: bfdEnd,
  /** The fields from `sent` to `dropped` count from the time at which the BFD process began the session. */
  sent: z.number(),
  received: z.number(),
  /** How often the session left the state Up. */
  downs: z.number(),
  /** Received packets that were dropped, by reason. */
  dropped: z.record(text, z.number()),
  /** One sentence for each way in which the session differs from the configuration. */
  warnings: texts,
  /** Why the session is not Up, in a sentence. */
  problem: text.optional(),
});

const peer = z.object({
  name: text,
  /** State of the session's FSM (RFC 4271, section 8.2.2). */
  state: text,
  /** The sub-state while the session waits for BFD, such as `OpenSentBfdUpPending`. */
  subState: text.optional(),
  /** Time of the last change of state, RFC 3339. */
  since: text,
  /** Address families that the session carries, such as `ipv4-unicast`. None unless it is up. Absent in a status of an older release. */
  families: texts.optional(),
  routesSent: z.number(),
  routesDesired: z.number().optional(),
  /** One sentence for each way in which the session differs from the configuration. */
  warnings: texts.default([]),
  lastError: text.optional(),
  /** RFC 3339. */
  lastErrorAt: text.optional(),
  /** Absent when BFD does not watch the peer. */
  bfd: peerBfd.optional(),
});

const speakerStatus = z.object({
  version,
  node: text.default(''),
  /** Kinds of objects that the speaker has not read completely. Empty when the speaker is in sync. */
  waitingFor: texts.default([]),
  /** Configuration in force at this speaker. */
  config: z.object({ hash: text, acceptedAt: text }).optional(),
  /** `reached` when the speaker can reach the API server, else `not reached`. */
  apiServer: text.default('reached'),
  peers: z.array(peer),
  /** Layer-2 addresses that the speaker answers for, each with the time since which the speaker answers (RFC 3339). */
  announcing: z.record(text, text),
  /** Layer-2 addresses that a foreign host uses, with the MAC of that host and the interface on which it was seen. */
  inUse: z.record(text, text),
  /** Layer-2 addresses that the speaker answers for and whose witnesses get no answer, with the nodes of the witnesses. */
  unverified: z.record(text, text).default({}),
  /** Addresses that the speaker announces by BGP, each with the names of the peers that should receive its route. */
  advertised: z.record(text, texts),
  /**
   * Whether any pool is announced in layer 2. Without such a pool and without `dead-nodes`, the speaker has no members. Absent in a status of an
   * older release.
   */
  usesLayer2: z.boolean().optional(),
  /** All other speakers, as the membership sees them. */
  members: z.array(z.object({ node: text, state: text })),
  /** The UDP port on which speakers probe each other. Absent in a status of an older release. */
  membershipPort: z.number().optional(),
  notAnnounced: z.array(
    z.object({
      service: text,
      address: text,
      reason: text,
      /** Absent in a status without a version. A cause that this program does not know is read as absent. */
      cause: z.enum(refusalCauses).optional().catch(undefined),
      /** The kind of an object and its field that decides, such as `Node spec.unschedulable`. Absent in a status of an older release. */
      field: text.optional(),
    }),
  ),
  /** The flags of the speaker that decide whether a node may announce. Absent in a status of an older release. */
  nodeRules: z.object({ leavesWhenCordoned: z.boolean(), ignoresExcludeLabel: z.boolean() }).optional(),
  /** The class of the Services that the speaker serves. Absent when it serves Services without a class. */
  loadBalancerClass: text.optional(),
  /**
   * The links on which the node can answer in layer 2, with the subnets of each. Absent while the layer-2 process does not run, and in a
   * status of an older release.
   */
  links: z.array(z.object({ name: text, subnets: texts })).optional(),
  /** Present while the node of the speaker leaves. */
  leaving: z
    .object({
      /** A word from a fixed list, such as `maintenance` or `taint`. */
      cause: text,
      /** The cause as the rest of a sentence that begins with the name of the node, such as `is cordoned`. */
      reason: text,
      /** RFC 3339. */
      since: text,
      /** Addresses whose routes are marked and not withdrawn yet. */
      draining: texts,
      /** Addresses that the node keeps announcing, because too few other nodes could. */
      heldByFloor: texts,
    })
    .optional(),
  /** Present with `--adopt-only`. */
  adoption: z
    .object({
      /**
       * `held`: the node is not admitted and has no BGP session. `waiting`: the node is admitted, but another program on it has a session, or the
       * speaker does not know yet whether one has. `live`: the node is admitted and has its sessions.
       */
      bgp: text,
      /** Names of the peers with which another program on this node has a session. */
      otherSessions: texts,
      /** Pools whose layer-2 addresses are admitted; `*` for all. */
      pools: texts,
      /** Addresses that this node holds back. */
      held: z.array(
        z.object({
          service: text,
          address: text,
          pool: text,
          protocol: text,
          /** Names of the peers that would receive the route of the address. */
          peers: texts,
          isAdmitted: z.boolean(),
          /** Whether this node may answer for the address in layer 2. Always true when the protocol is BGP. */
          isCandidate: z.boolean(),
          /**
           * The node from which another program answers, according to this node's sighting. Empty when no host answers, or when no speaker runs on
           * the host that answers.
           */
          seenOn: text.optional(),
          /** The MAC that answers. Empty when no host answers. */
          seenMac: text.optional(),
        }),
      ),
    })
    .optional(),
  /** Faults that keep the speaker from doing what the configuration asks for. */
  troubles: texts.default([]),
  /** Work that is done in slices and is not finished, with the number of steps that are left and the seconds since it began. */
  longWork: z.array(z.object({ work: text, remaining: z.number(), seconds: z.number() })).default([]),
});

const controllerStatus = z.object({
  version,
  identity: text,
  leading: z.boolean(),
  /** Identity of the replica that holds the Lease. */
  leader: text.optional(),
  apiServer: text.optional(),
  /** Whether the controller runs with `--adopt-only`. */
  adoptOnly: z.boolean().default(false),
  waitingFor: texts.default([]),
  /** The leader's verdict on the ConfigMap. */
  config: z.object({ status: text, hash: text.optional(), error: text.optional() }).optional(),
  /** The Services that Bellman serves. `refusal` says why a Service lacks an address. Only the leader fills the list. */
  services: z
    .array(
      z.object({
        service: text,
        addresses: z.array(z.object({ ip: text, pool: text })).default([]),
        refusal: z.object({ cause: text, message: text }).optional(),
      }),
    )
    .default([]),
  /** Present at the leader while the configuration has `dead-nodes`. */
  deadNodes: z
    .object({
      /** Rights that the controller needs for `dead-nodes` and lacks. */
      missingRights: texts,
      /** Nodes whose speaker has written no death report. */
      withoutReport: texts,
      /** Nodes that a majority of the speakers reports as dead. */
      nodes: z.array(
        z.object({
          node: text,
          /** The decision of the controller: `waiting`, `held`, `dead` or `marked`. */
          state: text,
          /** Number of the speakers that report the node and whose reports count. */
          reports: z.number(),
          /** Number of all nodes that have a speaker. */
          speakers: z.number(),
          /**
           * Why the Pods of the node are not marked, as the rest of a sentence that begins with the name of the node. Empty in the states `dead` and
           * `marked`.
           */
          reason: text,
        }),
      ),
    })
    .optional(),
});

/** A status as a daemon writes it. */
export type SpeakerStatusBody = DeepReadonly<z.input<typeof speakerStatus>>;
export type ControllerStatusBody = DeepReadonly<z.input<typeof controllerStatus>>;

export type PeerBfdBody = DeepReadonly<z.input<typeof peerBfd>>;

/** Status of a speaker as decoded. */
export type SpeakerStatus = z.output<typeof speakerStatus>;
/** Status of a controller replica as decoded. */
export type ControllerStatus = z.output<typeof controllerStatus>;

/**
 * Whether the session is up and carries routes of the address's family. A session that is up need not carry both families: the peer may not
 * have offered one, or the node may have no next hop for it. A session without the field `families`, as in a status of an older release, is
 * taken to carry both.
 */
export function carriesRoutesOf(
  { state, families }: { readonly state: string; readonly families?: readonly string[] | undefined },
  address: string,
): boolean {
  return state === 'Established' && (families?.includes(`ipv${familyOfText(address)}-unicast`) ?? true);
}

/** Decodes the body of a speaker's `/status`, or says what is wrong with it. */
export function decodeSpeakerStatus(body: string): Result<SpeakerStatus, string> {
  return decode(speakerStatus, body);
}

/** Decodes the body of a controller's `/status`, or says what is wrong with it. */
export function decodeControllerStatus(body: string): Result<ControllerStatus, string> {
  return decode(controllerStatus, body);
}

type DeepReadonly<T> = T extends object ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> } : T;

function decode<T>(schema: z.ZodType<T>, body: string): Result<T, string> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return fail('not JSON');
  }
  const result = schema.safeParse(json);
  if (result.success) return ok(result.data);
  const [issue] = result.error.issues;
  const path = issue?.path.join('.') ?? '';
  return fail(printable(`not a status of this version: ${path} ${issue?.message ?? ''}`, maxTextCharacters));
}
