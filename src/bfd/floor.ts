import { familyOfText } from '../address/index.ts';
import { type DigestKey, maxKeyOctets } from './codec/authentication.ts';
import type { MachineAuthentication, MachineSettings } from './machine/settings.ts';
import type { BfdAuthentication, BfdSessionSettings } from './session-settings.ts';

/** The fastest sessions that this process can keep without false alarms. */
export interface Floor {
  readonly minimumIntervalMs: number;
  readonly minimumDetectMultiplier: number;
}

/**
 * Beside six busy loops on two cores, 99.7 % of the packets are at most 2 ms late with SCHED_FIFO (docs/design/bfd.md). So 10 ms is allowed,
 * the shortest interval that MetalLB accepts. Without SCHED_FIFO, bench/bfd.ts measured packets that were up to 180 ms late, or up to 58 ms
 * with the nice value -20. The floor `ordinary` makes the peer's Detection Time at least 300 ms (100 ms × 3), which is longer than these delays.
 */
export const floors: Readonly<Record<'realtime' | 'ordinary', Floor>> = {
  realtime: { minimumIntervalMs: 10, minimumDetectMultiplier: 1 },
  ordinary: { minimumIntervalMs: 100, minimumDetectMultiplier: 3 },
};

/**
 * Translates the settings for the machine. `returnsEcho` says whether this node returns Echo packets. The warning names the settings that
 * the floor raises.
 */
export function machineSettings(
  settings: BfdSessionSettings,
  floor: Floor,
  returnsEcho: boolean,
): { readonly settings: MachineSettings; readonly warning?: string } {
  const raised: string[] = [];
  const atLeast = (name: string, value: number, minimum: number, unit = '') => {
    if (value >= minimum) return value;
    raised.push(`the ${name} is ${minimum}${unit} instead of ${value}${unit}`);
    return minimum;
  };
  const interval = (name: string, value: number) =>
    Math.round(atLeast(name, value, floor.minimumIntervalMs, ' ms') * 1000);
  const { authentication } = settings;
  const echo = echoOf(settings);
  const result: MachineSettings = {
    desiredMinTxInterval: interval('transmit interval', settings.transmitIntervalMs),
    requiredMinRxInterval: interval('receive interval', settings.receiveIntervalMs),
    detectMultiplier: atLeast('detect multiplier', settings.detectMultiplier, floor.minimumDetectMultiplier),
    passive: settings.passive,
    ...(authentication ? { authentication: machineAuthentication(authentication) } : {}),
    ...(echo ? { echoInterval: interval('echo interval', echo.intervalMs), returnsEcho } : {}),
  };
  if (raised.length === 0) return { settings: result };
  const warning = `this node does not grant BFD real-time scheduling, so ${raised.join(', ')}`;
  return { settings: result, warning };
}

/** The settings of the echo function; `undefined` when it is not wanted, or not possible. Echo packets need a single hop and IPv4. */
export function echoOf({ echo, mode, peerAddress }: BfdSessionSettings): BfdSessionSettings['echo'] {
  return mode.kind === 'single-hop' && familyOfText(peerAddress) === 4 ? echo : undefined;
}

/** Throws a RangeError when the keys are not valid. This would be a bug, because the speaker has checked them as it read the Secret. */
function machineAuthentication({ type, sendKeyId, keys }: BfdAuthentication): MachineAuthentication {
  const decoded = new Map<number, DigestKey>();
  for (const { id, secret } of keys) {
    const octets = Buffer.from(secret, 'base64');
    if (octets.length === 0 || octets.length > maxKeyOctets(type))
      throw new RangeError(`key ${id} has ${octets.length} octets, ${type} takes 1 to ${maxKeyOctets(type)}`);
    decoded.set(id, { id, octets });
  }
  const sendKey = decoded.get(sendKeyId);
  if (!sendKey) throw new RangeError(`key ${sendKeyId} signs our packets, but is not among the keys`);
  return { type, sendKey, keys: decoded };
}
