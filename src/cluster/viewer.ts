/** ServiceAccount that may read `/status` and `/debug` of the daemons from other hosts. `manifests/viewer-rbac.yaml` creates it. */
export const viewerServiceAccount = 'viewer';

/** Audience of its tokens. A token with this audience is good for the daemons' HTTP endpoints only. */
export const viewerAudience = 'bellman.dev';
