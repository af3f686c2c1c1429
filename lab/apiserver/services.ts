/** Defaults and validation of Services. They follow the answers of Kubernetes in `test/e2e/apiserver-answers.json`. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { invalid, requireOneOf, undecodable } from './invalid.ts';
import { field, type KubernetesObject, type Resource } from './resources.ts';

type Spec = Record<string, unknown>;

/** Counts assigned cluster IPs. A lab is too short-lived to reuse them. */
let nextClusterIp = 0;

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const familyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'];
const families = ['IPv4', 'IPv6'];

/** Checks and completes a Service. In an update, `before` is the stored object. For the status path, see {@link admitServiceStatus}. */
export function admitService(
  resource: Resource,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): KubernetesObject {
  const { name } = object.metadata;
  const fail = (message: string) => invalid(resource, name, message);
  const oneOf = (path: string, value: unknown, supported: readonly string[]) =>
    requireOneOf(resource, name, path, value, supported);
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 63)
    throw fail(`metadata.name: Invalid value: "${name}": an RFC 1035 label is required`);
  const spec: Spec = { ...((object.spec ?? {}) as Spec) };
  spec.type ??= 'ClusterIP';
  oneOf('spec.type', spec.type, types);
  /** Drops fields that the new type does not have. The server refuses such a field only if the update changes its stored value. */
  const dropUnchanged = (...names: readonly string[]) => {
    for (const name of names)
      if (isDeepStrictEqual(spec[name] ?? undefined, field(before, 'spec', name))) delete spec[name];
  };
  const isLoadBalancer = spec.type === 'LoadBalancer';
  const wasLoadBalancer = field(before, 'spec', 'type') === 'LoadBalancer';
  const ports = portsOf(resource, name, spec);
  if (ports === undefined) delete spec.ports;
  else spec.ports = ports;
  if (Object.values(mapOf(spec.selector)).some((value) => typeof value !== 'string'))
    throw undecodable('spec.selector: expected a map of strings');
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'ClientIP')
    spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10_800 } };
  if (isLoadBalancer || spec.type === 'NodePort') {
    spec.externalTrafficPolicy ??= 'Cluster';
    oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, ['Cluster', 'Local']);
  } else {
    dropUnchanged('externalTrafficPolicy');
    if (spec.externalTrafficPolicy !== undefined)
      throw fail(
        `spec.externalTrafficPolicy: Invalid value: "${spec.externalTrafficPolicy}": may only be set for externally-accessible services`,
      );
  }
  if (isLoadBalancer) {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const [index, range] of ((spec.loadBalancerSourceRanges ?? []) as unknown[]).entries())
      if (!isPrefix(String(range)))
        throw fail(
          `spec.loadBalancerSourceRanges[${index}]: Invalid value: "${range}": must be a valid CIDR value`,
        );
    if (wasLoadBalancer && field(before, 'spec', 'loadBalancerClass') !== spec.loadBalancerClass)
      throw fail('spec.loadBalancerClass: Invalid value: may not change once set');
  } else {
    dropUnchanged('allocateLoadBalancerNodePorts', 'loadBalancerClass');
    for (const name of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'])
      if (spec[name] !== undefined)
        throw fail(`spec.${name}: Forbidden: may only be used when \`type\` is \`LoadBalancer\``);
  }
  if (spec.type === 'ExternalName') {
    dropUnchanged('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy');
  } else {
    spec.internalTrafficPolicy ??= 'Cluster';
    spec.clusterIPs = wantedClusterIps(spec, before, fail);
    completeFamilies(spec, before, fail, oneOf);
    if (spec.clusterIP !== 'None') completeClusterIps(spec);
  }
  // The server itself clears the addresses when a Service stops being of type LoadBalancer.
  const cleared = isLoadBalancer || !wasLoadBalancer ? {} : { loadBalancer: {} };
  return { ...object, spec, status: { ...((object.status ?? { loadBalancer: {} }) as Spec), ...cleared } };
}

/** Checks and completes the addresses in the status of a Service. */
export function admitServiceStatus(resource: Resource, object: KubernetesObject): KubernetesObject {
  const { name } = object.metadata;
  const ingress = field(object, 'status', 'loadBalancer', 'ingress') as readonly Spec[] | null | undefined;
  const status = (object.status ?? {}) as Spec;
  if (ingress === undefined || ingress === null || ingress.length === 0)
    return { ...object, status: { ...status, loadBalancer: {} } };
  if (field(object, 'spec', 'type') !== 'LoadBalancer')
    throw invalid(
      resource,
      name,
      'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"',
    );
  const completed = ingress.map((entry, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    const { ip, ipMode } = entry;
    if (ip === undefined || ip === '') return entry;
    if (isIP(String(ip)) === 0)
      throw invalid(resource, name, `${path}.ip: Invalid value: "${ip}": must be a valid IP address`);
    if (ipMode === undefined) return { ...entry, ipMode: 'VIP' };
    requireOneOf(resource, name, `${path}.ipMode`, ipMode, ['Proxy', 'VIP']);
    return entry;
  });
  return { ...object, status: { ...status, loadBalancer: { ingress: completed } } };
}

/** The ports with their defaults; `undefined` for a Service that has none and needs none. */
function portsOf(resource: Resource, name: string, spec: Spec): readonly Spec[] | undefined {
  const ports = (spec.ports ?? []) as readonly Spec[];
  if (!Array.isArray(ports)) throw undecodable('spec.ports: expected a list');
  const seen = new Set<string>();
  const completed = ports.map((each, index) => {
    const port = Number(mapOf(each).port);
    const { protocol = 'TCP' } = mapOf(each);
    const path = `spec.ports[${index}]`;
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalid(
        resource,
        name,
        `${path}.port: Invalid value: ${port}: must be between 1 and 65535, inclusive`,
      );
    requireOneOf(resource, name, `${path}.protocol`, protocol, protocols);
    if (ports.length > 1 && !mapOf(each).name) throw invalid(resource, name, `${path}.name: Required value`);
    if (seen.has(`${protocol} ${port}`)) throw invalid(resource, name, `${path}: Duplicate value: ${port}`);
    seen.add(`${protocol} ${port}`);
    return { protocol, targetPort: port, ...mapOf(each) };
  });
  if (completed.length > 0) return completed;
  if (spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    throw invalid(resource, name, 'spec.ports: Required value');
  return undefined;
}

function completeFamilies(
  spec: Spec,
  before: KubernetesObject | undefined,
  fail: (message: string) => Error,
  oneOf: (path: string, value: unknown, supported: readonly string[]) => void,
): void {
  const asked = Array.isArray(spec.ipFamilies) ? (spec.ipFamilies as readonly string[]) : [];
  for (const [index, family] of asked.entries()) oneOf(`spec.ipFamilies[${index}]`, family, families);
  const isHeadlessWithoutSelector =
    spec.clusterIP === 'None' && Object.keys(mapOf(spec.selector)).length === 0;
  if (spec.ipFamilyPolicy === undefined && asked.length > 1)
    throw fail(
      'spec.ipFamilyPolicy: Invalid value: must be RequireDualStack or PreferDualStack when multiple IP families are specified',
    );
  spec.ipFamilyPolicy ??= isHeadlessWithoutSelector ? 'RequireDualStack' : 'SingleStack';
  oneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, familyPolicies);
  const familiesBefore = field(before, 'spec', 'ipFamilies') as readonly string[] | undefined;
  const familyOfIp = String((spec.clusterIPs as readonly string[])[0]).includes(':') ? 'IPv6' : 'IPv4';
  const first = asked[0] ?? familiesBefore?.[0] ?? familyOfIp;
  if (familiesBefore?.[0] !== undefined && familiesBefore[0] !== first)
    throw fail('spec.ipFamilies[0]: Invalid value: the primary ipFamily may not change once set');
  spec.ipFamilies =
    spec.ipFamilyPolicy === 'SingleStack' ? [first] : [first, first === 'IPv4' ? 'IPv6' : 'IPv4'];
}

/**
 * The cluster IPs that the client wants or the Service has; may be empty. An update that leaves them out keeps those of the Service. An old
 * client knows only `clusterIP`, which is the first of them.
 */
function wantedClusterIps(
  spec: Spec,
  before: KubernetesObject | undefined,
  fail: (message: string) => Error,
): readonly string[] {
  const had = (field(before, 'spec', 'clusterIPs') ?? []) as readonly string[];
  spec.clusterIP ||= had[0];
  const first = spec.clusterIP as string | undefined;
  if (first === undefined) return (spec.clusterIPs ?? []) as readonly string[];
  if (first !== 'None' && isIP(first) === 0)
    throw fail(`spec.clusterIPs[0]: Invalid value: "${first}": must be a valid IP address`);
  if (had[0] !== undefined && had[0] !== first)
    throw fail(`spec.clusterIPs[0]: Invalid value: "${first}": may not change once set`);
  if (first === 'None') return [first];
  const asked = (spec.clusterIPs ?? []) as readonly string[];
  return asked.length > 0 ? asked : had.length > 0 ? had : [first];
}

/** Gives the Service a cluster IP of each of its families. */
function completeClusterIps(spec: Spec): void {
  const had = spec.clusterIPs as readonly string[];
  const wanted = spec.ipFamilies as string[];
  const ofFamily = (family: string) => had.find((ip) => ip.includes(':') === (family === 'IPv6'));
  const index = wanted.every(ofFamily) ? 0 : ++nextClusterIp;
  spec.clusterIPs = wanted.map((family) => ofFamily(family) ?? clusterIp(family, index));
  spec.clusterIP = (spec.clusterIPs as string[])[0];
}

function clusterIp(family: string, index: number): string {
  return family === 'IPv6'
    ? `fd00:96::${index.toString(16)}`
    : `10.${96 + (index >>> 16)}.${(index >>> 8) & 255}.${index & 255}`;
}

function isPrefix(text: string): boolean {
  const [address = '', length = ''] = text.trim().split('/');
  if (isIP(address) === 0 || !/^\d+$/.test(length)) return false;
  try {
    new BlockList().addSubnet(address, Number(length), isIPv4(address) ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}

function mapOf(value: unknown): Spec {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw undecodable(`expected a map instead of ${JSON.stringify(value)}`);
  return value as Spec;
}
