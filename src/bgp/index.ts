export type { PeerSettings, ResolvedPeer } from './peer.ts';
export { type BgpSpeakerOptions, createBgpSpeaker } from './speaker.ts';
export type { BgpSpeaker, PeerStatus, RouteAttributes, StopMode } from './speaker-api.ts';
export { warmUp } from './warm-up.ts';
