/** Paths that several talks use, and the body of a Service of type LoadBalancer. */
export const core = '/api/v1/namespaces/default';
export const servicesPath = `${core}/services`;
export const configMapsPath = `${core}/configmaps`;

export function loadBalancer(name: string, spec: object = {}): object {
  return { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } };
}
