/** The media types of bodies that Kubernetes reads. */
export const json = 'application/json';
export const merge = 'application/merge-patch+json';
export const strategic = 'application/strategic-merge-patch+json';
export const jsonPatch = 'application/json-patch+json';
export const apply = 'application/apply-patch+yaml';
