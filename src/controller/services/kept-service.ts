/**
 * The parts of Services that the controller keeps in memory. There may be tens of thousands of Services, so it keeps only the fields that
 * decisions need. The parser makes new strings, lists and maps for each Service, so equal values are replaced by one shared copy.
 */
import { annotations as names, requestPrefixes } from '../../cluster/names.ts';
import { SharedValues } from '../../cluster/shared-values.ts';
import type { Service, ServiceCondition } from '../../kubernetes/model.ts';

const loadBalancer = 'LoadBalancer';
const nothing: Readonly<Record<string, string>> = {};

export class ServiceKeeper {
  readonly #texts = new SharedValues<string>();
  readonly #ports = new SharedValues<Service['ports']>();
  readonly #families = new SharedValues<Service['ipFamilies']>();
  readonly #annotations = new SharedValues<Service['annotations']>();
  readonly #conditions = new SharedValues<readonly ServiceCondition[]>();

  /**
   * The part of a Service to keep. Returns `undefined` for a Service that is not a load balancer, has no address in its status, and has no
   * annotation or condition of Bellman or MetalLB. Annotations of other programs, which may be large, are left out. Decisions need the selector
   * only with `externalTrafficPolicy: Local`.
   */
  kept(service: Service): Service | undefined {
    const { type, ports, ipFamilies, externalTrafficPolicy, loadBalancerClass, loadBalancerIP } = service;
    const annotations = this.#sharedAnnotations(requestsOf(service.annotations));
    const isPlain = service.ingress.length === 0 && service.conditions === undefined;
    if (type !== loadBalancer && isPlain && annotations === nothing) return undefined;
    // The literal names each common field, because V8 stores named fields inside the object. Fields that a spread adds take more memory: V8 stores
    // them outside the object, with spare room.
    return {
      namespace: this.#text(service.namespace),
      name: service.name,
      uid: service.uid,
      resourceVersion: service.resourceVersion,
      labels: isEmpty(service.labels) ? nothing : service.labels,
      annotations,
      createdAtMs: service.createdAtMs,
      deleting: service.deleting,
      type: type === loadBalancer ? loadBalancer : type,
      ipFamilies: this.#families.shared(ipFamilies.join(), () => ipFamilies),
      ipFamilyPolicy: service.ipFamilyPolicy,
      externalTrafficPolicy,
      ports: this.#ports.shared(JSON.stringify(ports), () => ports),
      selector: externalTrafficPolicy === 'Local' ? service.selector : nothing,
      ingress: service.ingress,
      ...(service.conditions === undefined ? {} : { conditions: this.#sharedConditions(service.conditions) }),
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
      ...(loadBalancerIP === undefined ? {} : { loadBalancerIP }),
    };
  }

  /** Most Services have only the pool annotation. Annotations with an announcing record are not shared, because these records differ. */
  #sharedAnnotations(annotations: Service['annotations']): Service['annotations'] {
    if (annotations === nothing || annotations[names.announcing] !== undefined) return annotations;
    return this.#annotations.shared(JSON.stringify(annotations), () => annotations);
  }

  /** Thousands of Services have conditions with the same few texts. Many conditions change in the same second, so their times are equal too. */
  #sharedConditions(conditions: readonly ServiceCondition[]): readonly ServiceCondition[] {
    return this.#conditions.shared(JSON.stringify(conditions), () => conditions.map(this.#condition));
  }

  readonly #condition = ({ type, status, reason, message, lastTransitionTime }: ServiceCondition) => ({
    type,
    status,
    reason: this.#text(reason),
    message: this.#text(message),
    lastTransitionTime: this.#text(lastTransitionTime),
  });

  #text(text: string): string {
    return this.#texts.shared(text, () => text);
  }
}

function requestsOf(annotations: Service['annotations']): Service['annotations'] {
  const own = Object.entries(annotations).filter(([name]) =>
    requestPrefixes.some((prefix) => name.startsWith(prefix)),
  );
  return own.length === 0 ? nothing : Object.fromEntries(own);
}

function isEmpty(map: Service['labels']): boolean {
  return Object.keys(map).length === 0;
}
