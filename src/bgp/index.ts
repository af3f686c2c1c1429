export { type PeerSettings, peerMachine, type ResolvedPeer } from './peer.ts';
export { defaultLocalPref } from './rib/update-writer.ts';
export type { SessionChange } from './session/session-report.ts';
export { settingsChange } from './session/settings-change.ts';
export { createBgpSpeaker } from './speaker.ts';
export type { BgpSpeaker, RouteAttributes, SessionSuccession, StopMode } from './speaker-api.ts';
export { isOnLink, systemInterfaces } from './system-interfaces.ts';
export { warmUp } from './warm-up.ts';
