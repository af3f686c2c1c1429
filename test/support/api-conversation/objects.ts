/** Where the objects of the conversation are, and the one that most of it is about. */
export const core = '/api/v1/namespaces/default';
export const servicesPath = `${core}/services`;
export const configMapsPath = `${core}/configmaps`;

export function loadBalancer(name: string, spec: object = {}): object {
  return { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } };
}
