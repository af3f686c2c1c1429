/** The paths of the objects of the conversation, and the Service that most of its requests are about. */
export const core = '/api/v1/namespaces/default';
export const servicesPath = `${core}/services`;
export const configMapsPath = `${core}/configmaps`;

export function loadBalancer(name: string, spec: object = {}): object {
  return { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } };
}
