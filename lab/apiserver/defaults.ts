import { ApiProblem } from './problem.ts';
import { field, type KubernetesObject, type Resource } from './resources.ts';

type Spec = Record<string, unknown>;

/** Counts assigned cluster IPs. A lab is too short-lived to reuse them. */
let nextClusterIp = 0;

/** Applies the defaults and the validation of a real API server. In an update, `before` is the stored object. */
export function admit(
  resource: Resource,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): KubernetesObject {
  const { metadata } = object;
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(metadata.name) || metadata.name.length > 253)
    throw invalid(
      resource,
      metadata.name,
      `metadata.name: Invalid value: "${metadata.name}": a lowercase RFC 1123 subdomain is required`,
    );
  for (const [kind, values] of Object.entries({ labels: metadata.labels, annotations: metadata.annotations }))
    for (const [key, value] of Object.entries(values ?? {}))
      if (typeof value !== 'string')
        throw new ApiProblem(400, 'BadRequest', `metadata.${kind}.${key}: expected a string`);
  const annotationBytes = Object.entries(metadata.annotations ?? {}).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (annotationBytes > 262_144)
    throw invalid(
      resource,
      metadata.name,
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    );
  if (resource.kind === 'Service') return admitService(resource, object, before);
  if (resource.kind === 'Secret') return admitSecret(object);
  if (resource.kind === 'Namespace') return { status: { phase: 'Active' }, ...object };
  return object;
}

/** `message` starts with the name of the field. */
function invalid({ kind }: Resource, name: string, message: string): ApiProblem {
  const [, field = '', rest = message] = /^(\S+): (.*)$/s.exec(message) ?? [];
  const causes = [{ reason: 'FieldValueInvalid', field, message: rest }];
  return new ApiProblem(422, 'Invalid', `${kind} "${name}" is invalid: ${message}`, { name, kind, causes });
}

function admitSecret(object: KubernetesObject): KubernetesObject {
  const { stringData, ...rest } = object;
  const plain = Object.entries((stringData ?? {}) as Record<string, string>);
  const data = {
    ...((rest.data ?? {}) as object),
    ...Object.fromEntries(plain.map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  };
  return { type: 'Opaque', ...rest, ...(Object.keys(data).length > 0 ? { data } : {}) };
}

function admitService(
  resource: Resource,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): KubernetesObject {
  const spec: Spec = { ...((object.spec ?? {}) as Spec) };
  const { name } = object.metadata;
  const ports = portsOf(resource, name, spec.ports);
  if (Object.values(mapOf(spec.selector)).some((value) => typeof value !== 'string'))
    throw new ApiProblem(400, 'BadRequest', 'spec.selector: expected a map of strings');
  if (ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    throw invalid(resource, name, 'spec.ports: Required value');
  if (ports.length > 1 && ports.some((port) => !port.name))
    throw invalid(resource, name, 'spec.ports[0].name: Required value');
  spec.ports = ports.map((port) => ({ protocol: 'TCP', targetPort: port.port, ...port }));
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  spec.internalTrafficPolicy ??= 'Cluster';
  const policies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'];
  spec.ipFamilyPolicy ??=
    Array.isArray(spec.ipFamilies) && spec.ipFamilies.length > 1 ? 'RequireDualStack' : 'SingleStack';
  if (!policies.includes(String(spec.ipFamilyPolicy)))
    throw invalid(
      resource,
      name,
      `spec.ipFamilyPolicy: Unsupported value: "${spec.ipFamilyPolicy}": supported values: ${policies.join(', ')}`,
    );
  const asked = Array.isArray(spec.ipFamilies) ? (spec.ipFamilies as string[]) : [];
  const familiesBefore = field(before, 'spec', 'ipFamilies') as string[] | undefined;
  const first = asked[0] ?? familiesBefore?.[0] ?? 'IPv4';
  if (familiesBefore?.[0] !== undefined && familiesBefore[0] !== first)
    throw invalid(
      resource,
      name,
      'spec.ipFamilies[0]: Invalid value: the primary ipFamily may not change once set',
    );
  spec.ipFamilies =
    spec.ipFamilyPolicy === 'SingleStack' ? [first] : [first, first === 'IPv4' ? 'IPv6' : 'IPv4'];
  if (spec.type === 'LoadBalancer') {
    spec.externalTrafficPolicy ??= 'Cluster';
    spec.allocateLoadBalancerNodePorts ??= true;
    const classBefore =
      field(before, 'spec', 'type') === 'LoadBalancer'
        ? field(before, 'spec', 'loadBalancerClass')
        : spec.loadBalancerClass;
    if (classBefore !== spec.loadBalancerClass)
      throw invalid(resource, name, 'spec.loadBalancerClass: Invalid value: may not change once set');
  } else if (before && field(before, 'spec', 'type') === 'LoadBalancer') {
    delete spec.externalTrafficPolicy;
    delete spec.allocateLoadBalancerNodePorts;
    delete spec.loadBalancerClass;
  }
  if (spec.clusterIP !== 'None' && spec.type !== 'ExternalName') {
    // An update that leaves out the cluster IPs keeps those that the Service has.
    const had = (spec.clusterIPs ?? field(before, 'spec', 'clusterIPs') ?? []) as string[];
    const families = spec.ipFamilies as string[];
    const index = families.every((family) => had.some((ip) => ip.includes(':') === (family === 'IPv6')))
      ? 0
      : ++nextClusterIp;
    spec.clusterIPs = families.map(
      (family) => had.find((ip) => ip.includes(':') === (family === 'IPv6')) ?? clusterIp(family, index),
    );
    spec.clusterIP = (spec.clusterIPs as string[])[0];
  }
  return { ...object, spec, status: object.status ?? { loadBalancer: {} } };
}

function portsOf(resource: Resource, name: string, value: unknown): Spec[] {
  const ports = (value ?? []) as Spec[];
  if (!Array.isArray(ports)) throw new ApiProblem(400, 'BadRequest', 'spec.ports: expected a list');
  ports.forEach((each, index) => {
    const port = Number(mapOf(each).port);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalid(
        resource,
        name,
        `spec.ports[${index}].port: Invalid value: ${port}: must be between 1 and 65535, inclusive`,
      );
  });
  return ports;
}

function mapOf(value: unknown): Spec {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ApiProblem(400, 'BadRequest', `expected a map instead of ${JSON.stringify(value)}`);
  return value as Spec;
}

function clusterIp(family: string, index: number): string {
  return family === 'IPv6'
    ? `fd00:96::${index.toString(16)}`
    : `10.${96 + (index >>> 16)}.${(index >>> 8) & 255}.${index & 255}`;
}
