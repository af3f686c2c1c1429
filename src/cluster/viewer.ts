/** The identity that reads `/status` and `/debug` of the processes from afar; `manifests/viewer-rbac.yaml` makes it. */
export const viewerServiceAccount = 'viewer';

/** Audience of its tokens: such a token opens the processes' HTTP endpoints and nothing else. */
export const viewerAudience = 'bellman.dev';
