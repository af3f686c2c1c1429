/** ServiceAccount that may read `/status`, `/page` and `/debug` of the daemons from other hosts. `manifests/viewer-rbac.yaml` creates it. */
export const viewerServiceAccount = 'viewer';

/** ServiceAccount that may read `/capture` of the speakers. `manifests/viewer-rbac.yaml` creates it too. */
export const capturerServiceAccount = 'capturer';

/** Audience of the tokens of both accounts. Only the daemons' HTTP endpoints accept a token with this audience. */
export const viewerAudience = 'bellman.dev';
