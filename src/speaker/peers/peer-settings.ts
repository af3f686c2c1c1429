import type { PeerSettings } from '../../bgp/index.ts';
import type { PeerConfig } from '../../config/config.ts';

/** The part of a peer's configuration that BGP acts on. */
export function peerSettingsOf(config: PeerConfig): PeerSettings {
  return {
    name: config.name,
    localAsn: config.localAsn ?? config.myAsn,
    peerAsn: config.peerAsn,
    address: config.address,
    ...(config.interface === undefined ? {} : { interface: config.interface }),
    ...(config.sourceAddress === undefined ? {} : { sourceAddress: config.sourceAddress }),
    port: config.port,
    holdTimeSeconds: config.holdTimeSeconds,
    keepaliveTimeSeconds: config.keepaliveTimeSeconds,
    connectRetrySeconds: config.connectTimeSeconds,
    ...(config.ebgpMultihop === undefined ? {} : { ebgpHops: config.ebgpMultihop }),
    ttlSecurity: config.ttlSecurity,
    passive: config.passive,
    ...(config.families === undefined ? {} : { families: config.families }),
    ...(config.gracefulRestart === undefined ? {} : { gracefulRestart: config.gracefulRestart }),
    ...(config.bfd === undefined
      ? {}
      : { bfd: { strict: config.bfd.strict, holdDownSeconds: config.bfd.holdDownSeconds } }),
  };
}
