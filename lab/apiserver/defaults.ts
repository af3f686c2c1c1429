import { invalid, undecodable } from './invalid.ts';
import { admissions, withConditionTimes } from './kinds.ts';
import type { KubernetesObject, Resource } from './resources.ts';
import { admitService, admitServiceStatus } from './services.ts';

const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** An optional DNS name and a slash, then a name of at most 63 characters. */
const qualifiedName = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** Applies the defaults and the validation of a real API server. In an update, `before` is the stored object. */
export function admit(
  resource: Resource,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): KubernetesObject {
  checkMetadata(resource, object);
  if (resource.kind === 'Service') return admitService(resource, object, before);
  return admissions[resource.kind]?.(resource, object, before) ?? object;
}

/** As {@link admit}, for a write to the status path. */
export function admitStatus(resource: Resource, object: KubernetesObject): KubernetesObject {
  checkMetadata(resource, object);
  switch (resource.kind) {
    case 'Service':
      return admitServiceStatus(resource, object);
    case 'Pod':
      return withConditionTimes(object, 'lastProbeTime', 'lastTransitionTime');
    case 'Node':
      return withConditionTimes(object, 'lastHeartbeatTime', 'lastTransitionTime');
    default:
      return object;
  }
}

function checkMetadata(resource: Resource, { metadata }: KubernetesObject): void {
  const { name, labels = {}, annotations = {} } = metadata;
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) || name.length > 253)
    throw invalid(
      resource,
      name,
      `metadata.name: Invalid value: "${name}": a lowercase RFC 1123 subdomain is required`,
    );
  for (const [field, values] of Object.entries({ labels, annotations }))
    for (const [key, value] of Object.entries(values)) {
      if (typeof value !== 'string') throw undecodable(`metadata.${field}.${key}: expected a string`);
      // The server permits capitals in the prefix of an annotation's key, but not in that of a label's key.
      if (!qualifiedName.test(field === 'annotations' ? key.toLowerCase() : key))
        throw invalid(resource, name, `metadata.${field}: Invalid value: "${key}"`);
    }
  for (const value of Object.values(labels))
    if (!labelValue.test(value)) throw invalid(resource, name, `metadata.labels: Invalid value: "${value}"`);
  const annotationBytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (annotationBytes > 262_144)
    throw invalid(resource, name, 'metadata.annotations: Too long: may not be more than 262144 bytes');
}
