export { type BgpSpeakerOptions, createBgpSpeaker } from './speaker.ts';
export type { BgpSpeaker, PeerStatus, ResolvedPeer, RouteAttributes, StopMode } from './speaker-api.ts';
export { warmUp } from './warm-up.ts';
